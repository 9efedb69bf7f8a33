// The one seam between storage and the file system: every call goes through here, so that tests can make each one fail.
import { close, constants, fstat, open, read } from 'node:fs'
import fs from 'node:fs/promises'
import type { Objects } from './objects/objects.ts'

/** All of a file that should have `size` bytes: those, or as many as there are, or one more. */
type ReadWhole = (path: string, size: number) => Promise<Buffer>

/** A file that is open until it is closed, once. Reads of it may overlap, and end before that. */
export type OpenFile = {
  /** Bytes, as it was opened. */
  readonly size: number
  /** `length` bytes from `position`, or as many as there are; `done` is told how many. */
  read (into: Buffer, length: number, position: number, done: (error: Error | null, count: number) => void): void
  close (): void
}

export type FileSystem = Pick<typeof fs, 'open' | 'rename' | 'unlink' | 'mkdir' | 'readdir' | 'readFile' | 'rm' | 'rmdir' | 'stat' | 'statfs' | 'realpath'> & {
  /** Where that is faster than by a handle. */
  readonly readWhole?: ReadWhole
  /** The same. */
  readonly openFile?: (path: string) => Promise<OpenFile>
  /** Where a file can have two names. */
  readonly link?: typeof fs.link
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

/** With callbacks, and without waiting for the end: half of what it takes with a FileHandle. */
const readWhole: ReadWhole = (path, size) => new Promise((resolve, reject) => {
  open(path, readOrdinary, (error, file) => {
    if (error !== null) return reject(error)
    const bytes = Buffer.allocUnsafeSlow(size + 1)
    const end = (failure: Error | null, length = 0) => {
      close(file, () => {})
      if (failure === null) resolve(bytes.subarray(0, length))
      else reject(failure)
    }
    const readFrom = (at: number) => read(file, bytes, at, bytes.length - at, at, (failure, count) => {
      // A read of an ordinary file gives less than it was asked for where the file ends.
      if (failure !== null || count === 0 || at + count >= size) return end(failure, at + count)
      readFrom(at + count)
    })
    readFrom(0)
  })
})

const openFile = (path: string): Promise<OpenFile> => new Promise((resolve, reject) => {
  open(path, readOrdinary, (error, file) => {
    if (error !== null) return reject(error)
    const closing = () => close(file, () => {})
    fstat(file, (error, stats) => {
      if (error === null && stats.isFile()) return resolve({ size: stats.size, read: (into, length, position, done) => read(file, into, 0, length, position, done), close: closing })
      closing()
      reject(error ?? Object.assign(new Error(`${path} is no ordinary file`), { code: 'EISDIR' }))
    })
  })
})

export const fileSystem: FileSystem = { ...fs, readWhole, openFile }
