// Reading files that may be anything: only ordinary ones are opened, and hashed on the way.
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import type { FileHandle, FileSystem } from '../../storage/fs.ts'

const chunkBytes = 1024 ** 2

export type Hashed = { readonly size: number, readonly sha256: string }

/** A link would lead elsewhere, and opening a pipe would wait for ever. Absent on Windows, where there are none. */
const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** Does `use` with the open file. @throws NotRegular when it is a link, a pipe or a folder; what open(2) says otherwise */
export async function withRegular<T> (fs: FileSystem, path: string, use: (handle: FileHandle, size: number) => Promise<T>): Promise<T> {
  const handle = await fs.open(path, flags).catch((error: NodeJS.ErrnoException) => {
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

export const hashFile = (fs: FileSystem, path: string, onChunk?: (chunk: Buffer) => void): Promise<Hashed> =>
  withRegular(fs, path, (handle, size) => hashing(handle, size, onChunk))
