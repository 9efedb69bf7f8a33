// Files of an older system, opened so that nothing outside of its folder is ever read, and nothing in it is changed.
import { open, realpath, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from './failures.ts'
import { readOrdinary } from './fs.ts'

/** Why a file is not handed out. */
export type OldFileFault = 'missing' | 'symlink' | 'special' | 'unreadable' | 'bad-path' | 'changing'

export class OldFileRefused extends Error {
  override name = 'OldFileRefused'
  readonly fault: OldFileFault

  constructor (fault: OldFileFault, options?: ErrorOptions) {
    super(sentences[fault], options)
    this.fault = fault
  }
}

const sentences: Record<OldFileFault, string> = {
  missing: 'there is no such file',
  symlink: 'it is a symbolic link, or lies behind one, and links are not followed',
  special: 'it is no regular file',
  unreadable: 'it cannot be read',
  'bad-path': 'the path leads out of the folder',
  changing: 'it changed while it was read',
}

export type OldFile = {
  readonly handle: FileHandle
  /** Bytes. */
  readonly size: number
  readonly mtime: Date
  /** Another one when the file was written or replaced since. */
  readonly fingerprint: string
}

/** Names alone, each of them real: no step up, none in place, no empty one. */
export const isPlainPath = (path: string): boolean => !path.includes('\0') && path.split('/').every((name) => name !== '' && name !== '.' && name !== '..')

/**
 * `root` must be a real path; `path` is relative to it.
 * @throws OldFileRefused. Whoever gets the file closes its handle.
 */
export async function openOldFile (root: string, path: string): Promise<OldFile> {
  if (!isPlainPath(path)) throw new OldFileRefused('bad-path')
  const full = join(root, path)
  const handle = await open(full, readOrdinary).catch(refuse)
  try {
    const { isFile, ...facts } = await factsOf(handle)
    if (!isFile) throw new OldFileRefused('special')
    if (await realpath(full).catch(refuse) !== full) throw new OldFileRefused('symlink')
    return { handle, ...facts }
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function factsOf (handle: FileHandle) {
  const stats = await handle.stat({ bigint: true })
  return { isFile: stats.isFile(), size: Number(stats.size), mtime: stats.mtime, fingerprint: [stats.dev, stats.ino, stats.size, stats.mtimeNs].join(':') }
}

const chunkBytes = 256 * 1024

/** All its bytes from where the handle stands. @throws OldFileRefused when they changed meanwhile, or cannot be read */
export async function * readOldFile ({ handle, fingerprint }: OldFile): AsyncGenerator<Buffer> {
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(chunkBytes)).catch(refuse)
    if (bytesRead === 0) break
    yield buffer.subarray(0, bytesRead)
  }
  if ((await factsOf(handle)).fingerprint !== fingerprint) throw new OldFileRefused('changing')
}

const faults: Readonly<Record<string, OldFileFault>> = { ENOENT: 'missing', ENOTDIR: 'missing', ENAMETOOLONG: 'missing', ELOOP: 'symlink', ENXIO: 'special', EINVAL: 'bad-path' }

function refuse (error: unknown): never {
  throw new OldFileRefused(faults[errnoOf(error) ?? ''] ?? 'unreadable', { cause: error })
}
