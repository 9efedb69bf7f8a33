// The one seam between storage and the file system: every call goes through here, so that tests can make each one fail.
import { constants } from 'node:fs'
import fs from 'node:fs/promises'
import type { Objects } from './objects/objects.ts'

export type FileSystem = Pick<typeof fs, 'open' | 'rename' | 'unlink' | 'mkdir' | 'readdir' | 'readFile' | 'rm' | 'rmdir' | 'stat' | 'statfs' | 'realpath'> & {
  /** The object store that holds what others see of the volume; undefined where that is a volume. */
  readonly objects?: Objects | undefined
  /** What named this home, where it is not the usual setting. */
  readonly setting?: string | undefined
  /** While a deployment moves: its two homes, of which this is both for who reads, and the one for who writes. */
  readonly move?: Move | undefined
}

/** What is not in `own` is in `other`, below its `root`. */
export type Move = { readonly own: FileSystem, readonly other: FileSystem, readonly root: string }

/** For people: where the uploads are, a folder or an object store. */
export const homePlace = ({ objects }: Pick<FileSystem, 'objects'>, root: string): string => objects?.name ?? root

/** The same, with the setting that says it. */
export const homeName = (fs: Pick<FileSystem, 'objects' | 'setting'>, root: string): string => `${fs.setting ?? (fs.objects === undefined ? 'UPLOADS_DIR' : 'STORAGE_URL')} ${homePlace(fs, root)}`

/** Its folder on this machine, beside an object store too. */
export const folderName = (fs: Pick<FileSystem, 'objects' | 'setting'>, root: string): string => fs.objects === undefined ? homeName(fs, root) : `UPLOADS_DIR ${root}`

/** What puts `volume` where the gateway looks for it. */
export const homeRemedy = ({ objects, setting = 'STORAGE_URL' }: Pick<FileSystem, 'objects' | 'setting'>, volume: string): string => objects === undefined ? `Mount ${volume} there` : `Set ${setting} to where ${volume} is`

export type { FileHandle } from 'node:fs/promises'

/**
 * To open for reading what somebody may have put in the place of a file: a link is not followed, and for a pipe that nobody
 * writes to no thread waits. Windows has neither.
 */
export const readOrdinary = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

export const fileSystem: FileSystem = fs
