// The one seam between storage and the file system: every call goes through here, so that tests can make each one fail.
import fs from 'node:fs/promises'

export type FileSystem = Pick<typeof fs, 'open' | 'rename' | 'unlink' | 'mkdir' | 'readdir' | 'readFile' | 'rm' | 'rmdir' | 'stat' | 'statfs'>

export type { FileHandle } from 'node:fs/promises'

export const fileSystem: FileSystem = fs
