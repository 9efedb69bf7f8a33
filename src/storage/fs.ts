// The one seam between storage and the file system: every call goes through here, so that tests can make each one fail.
import { constants } from 'node:fs'
import fs from 'node:fs/promises'

export type FileSystem = Pick<typeof fs, 'open' | 'rename' | 'unlink' | 'mkdir' | 'readdir' | 'readFile' | 'rm' | 'rmdir' | 'stat' | 'statfs' | 'realpath'>

export type { FileHandle } from 'node:fs/promises'

/**
 * To open for reading what somebody may have put in the place of a file: a link is not followed, and for a pipe that nobody
 * writes to no thread waits. Windows has neither.
 */
export const readOrdinary = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

export const fileSystem: FileSystem = fs
