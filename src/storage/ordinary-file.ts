// Reading files whose place somebody may have put something else in: a pipe is not waited for, nor taken for an empty file.
import { constants } from 'node:fs'
import { ConfigError } from '../config.ts'
import { errnoOf } from './failures.ts'
import { readOrdinary, type FileHandle, type FileSystem } from './fs.ts'

/** A pipe, a socket, a folder or a device where a file ought to be: for people to put right. */
export class NotOrdinary extends ConfigError {
  constructor (path: string) {
    super(`${path} is not an ordinary file, but a pipe, a folder or the like. Move that away, and put the file there from a backup or another copy.`)
  }
}

/** Where settings and people may have put a link, which is followed. */
const following = readOrdinary & ~(constants.O_NOFOLLOW ?? 0)

/** Open for reading, or as `flags` say. @throws NotOrdinary; what open(2) says otherwise */
export async function openOrdinary (fs: Pick<FileSystem, 'open'>, path: string, flags = following, mode?: number): Promise<FileHandle> {
  const handle = await fs.open(path, flags, mode).catch((error: unknown) => {
    throw errnoOf(error) === 'ENXIO' ? new NotOrdinary(path) : error
  })
  try {
    if (!(await handle.stat()).isFile()) throw new NotOrdinary(path)
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** For appending whole lines; made when absent. */
export const openForAppending = (fs: Pick<FileSystem, 'open'>, path: string, mode: number): Promise<FileHandle> =>
  openOrdinary(fs, path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NONBLOCK ?? 0), mode)

/** All of it, as text. @throws NotOrdinary; what open(2) and read(2) say otherwise */
export async function readOrdinaryText (fs: Pick<FileSystem, 'open'>, path: string): Promise<string> {
  const handle = await openOrdinary(fs, path)
  try {
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}
