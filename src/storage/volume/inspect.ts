// What lies under a path, for checks that trust nothing: no link is followed, and no pipe is waited for.
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { errnoOf } from '../failures.ts'
import { readOrdinary, type FileHandle, type FileSystem } from '../fs.ts'
import { withoutRest, type Pace } from '../pace.ts'

const chunkBytes = 1024 ** 2

export type Look =
  | { readonly is: 'file', readonly size: number, readonly changedAtMs: number, readonly sha256?: string, readonly bytes?: Buffer }
  | { readonly is: 'nothing' }
  | { readonly is: 'symbolic link' | 'folder' | 'special file' }
  | { readonly is: 'unreadable', readonly reason: string }

type Wanted = {
  /** The lower-case hex sha-256 of its bytes. */
  readonly isHashed?: boolean
  /** The bytes themselves, when there are not more than so many. */
  readonly maxBytes?: number
  readonly signal?: AbortSignal | undefined
  /** At which bytes are read to be hashed. */
  readonly pace?: Pace | undefined
}

/** @throws only when `signal` is aborted */
export async function inspect (fs: FileSystem, path: string, wanted: Wanted = {}): Promise<Look> {
  let handle: FileHandle | undefined
  try {
    handle = await fs.open(path, readOrdinary)
    return await lookAt(handle, wanted)
  } catch (error) {
    wanted.signal?.throwIfAborted()
    return failedLook(error)
  } finally {
    await handle?.close().catch(() => {})
  }
}

async function lookAt (handle: FileHandle, { isHashed = false, maxBytes = 0, signal, pace = withoutRest }: Wanted): Promise<Look> {
  const stat = await handle.stat()
  if (stat.isDirectory()) return { is: 'folder' }
  if (!stat.isFile()) return { is: 'special file' }
  const look = { is: 'file', size: stat.size, changedAtMs: stat.ctimeMs } as const
  if (isHashed) return { ...look, ...await hashOf(handle, stat.size, pace, signal) }
  return stat.size > 0 && stat.size <= maxBytes ? { ...look, bytes: await handle.readFile() } : look
}

/** The size is what was read: more counts than what stat(2) said when a file grows meanwhile. */
async function hashOf (handle: FileHandle, expectedSize: number, pace: Pace, signal: AbortSignal | undefined): Promise<{ size: number, sha256: string }> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, expectedSize + 1))
  let size = 0
  while (true) {
    await pace(signal)
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, size)
    if (bytesRead === 0) return { size, sha256: hash.digest('hex') }
    hash.update(buffer.subarray(0, bytesRead))
    size += bytesRead
  }
}

function failedLook (error: unknown): Look {
  const code = errnoOf(error)
  if (code === 'ENOENT' || code === 'ENOTDIR') return { is: 'nothing' }
  if (code === 'ELOOP' || code === 'EMLINK') return { is: 'symbolic link' }
  // A socket cannot be opened at all.
  if (code === 'ENXIO') return { is: 'special file' }
  return { is: 'unreadable', reason: error instanceof Error ? error.message : String(error) }
}

/** The first folder on the way from `root` down to `folder` that is a link or no folder; undefined when there is none, or nothing. */
export async function detour (fs: FileSystem, root: string, folder: string): Promise<string | undefined> {
  let path = root
  for (const name of relative(root, folder).split(sep)) {
    path = join(path, name)
    try {
      const handle = await fs.open(path, readOrdinary | constants.O_DIRECTORY)
      await handle.close()
    } catch (error) {
      const code = errnoOf(error)
      if (code === 'ENOTDIR' || code === 'ELOOP' || code === 'EMLINK') return path
      return undefined
    }
  }
  return undefined
}
