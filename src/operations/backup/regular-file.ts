// Reading files that may be anything: only ordinary ones are opened, and hashed on the way.
import { createHash } from 'node:crypto'
import { readOrdinary, type FileHandle, type FileSystem } from '../../storage/fs.ts'
import { writeAll } from '../../storage/volume/durable.ts'

const chunkBytes = 1024 ** 2

export type Hashed = { readonly size: number, readonly sha256: string }

/** Does `use` with the open file. @throws NotRegular when it is a link, a pipe or a folder; what open(2) says otherwise */
export async function withRegular<T> (fs: FileSystem, path: string, use: (handle: FileHandle, size: number) => Promise<T>): Promise<T> {
  const handle = await fs.open(path, readOrdinary).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ELOOP' || error.code === 'ENXIO' ? new NotRegular(path) : error
  })
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw new NotRegular(path)
    return await use(handle, stat.size)
  } finally {
    await handle.close()
  }
}

export class NotRegular extends Error {
  override name = 'NotRegular'

  constructor (path: string) {
    super(`${path} is not an ordinary file`)
  }
}

/** Reads from the start to the end; `onChunk` gets each part and is awaited, after which the buffer is used again. */
export async function hashing (handle: FileHandle, expectedSize: number, onChunk: (chunk: Buffer) => Promise<void> | void = () => {}): Promise<Hashed> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(Math.min(expectedSize + 1, chunkBytes))
  for (let size = 0; ;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, size)
    if (bytesRead === 0) return { size, sha256: hash.digest('hex') }
    const chunk = buffer.subarray(0, bytesRead)
    hash.update(chunk)
    await onChunk(chunk)
    size += bytesRead
  }
}

/** Copies all of it, hashed on the way; `through` may say what a failed write means. */
export function pour (source: FileHandle, expectedSize: number, target: FileHandle, through: (write: () => Promise<void>) => Promise<void> = (write) => write()): Promise<Hashed> {
  let at = 0
  return hashing(source, expectedSize, async (chunk) => {
    await through(() => writeAll(target, [chunk], at))
    at += chunk.length
  })
}

export const hashFile = (fs: FileSystem, path: string, onChunk?: (chunk: Buffer) => void): Promise<Hashed> =>
  withRegular(fs, path, (handle, size) => hashing(handle, size, onChunk))
