// The home of a deployment that moves, for who reads it file by file: blobs, sidecars and heartbeats that are not in the own home are those of
// the other one. What folders hold, and what is written, is the own home's alone.
import { constants } from 'node:fs'
import { join, normalize, relative } from 'node:path'
import { errnoOf, ifAbsent } from '../failures.ts'
import type { FileSystem } from '../fs.ts'
import { heartbeatKey, isBlobKey } from '../objects/keys.ts'
import { NotOrdinary, readOrdinaryText } from '../ordinary-file.ts'
import { decodeSidecar } from '../sidecar.ts'
import { isFolderOfUploads, parseName } from '../volume/layout.ts'

type Options = {
  readonly own: FileSystem
  /** All names of its root. */
  readonly roots: readonly string[]
  readonly other: FileSystem
  readonly otherRoot: string
}

type Place = { readonly fs: FileSystem, readonly path: string }

const writing = constants.O_WRONLY | constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_TRUNC | constants.O_DIRECTORY

const isReading = (flags: string | number): boolean => typeof flags === 'number' ? (flags & writing) === 0 : flags === 'r'

export function createFallbackFileSystem ({ own, roots, other, otherRoot }: Options): FileSystem {
  /** Of a file that may be in either home; undefined of any other. */
  function keyOf (given: string): string | undefined {
    const path = normalize(given)
    const root = roots.find((one) => path.startsWith(`${one}/`))
    const key = root === undefined ? '' : relative(root, path)
    return isSidecarKey(key) || isBlobKey(key) || heartbeatKey.test(key) ? key : undefined
  }

  /** 0 of what is no sidecar. */
  async function revisionAt ({ fs, path }: Place): Promise<number> {
    const text = await readOrdinaryText(fs, path).catch((error: unknown) => error instanceof NotOrdinary ? '' : ifAbsent('')(error))
    return decodeSidecar(text)?.revision ?? 0
  }

  /** One that is damaged on a volume leaves the own; a store that does not answer may have a newer one. */
  const revisionElsewhere = (place: Place): Promise<number> => revisionAt(place).catch((error: unknown) => {
    if (other.objects !== undefined) throw error
    return 0
  })

  /** The newer of two sidecars counts, wherever it is; of everything else, the own. */
  async function placesOf (path: string): Promise<readonly Place[]> {
    const key = keyOf(path)
    const first = { fs: own, path }
    if (key === undefined) return [first]
    const second = { fs: other, path: join(otherRoot, key) }
    return isSidecarKey(key) && await revisionElsewhere(second) > await revisionAt(first) ? [second, first] : [first, second]
  }

  async function eitherOf<T> (path: string, use: (place: Place) => Promise<T>): Promise<T> {
    const [first, second] = await placesOf(path)
    return use(first ?? { fs: own, path }).catch((error: unknown) => {
      if (second === undefined || errnoOf(error) !== 'ENOENT') throw error
      return use(second).catch((failure: unknown) => { throw errnoOf(failure) === 'ENOENT' ? error : failure })
    })
  }

  const made = {
    ...bound(own),
    move: { own, other, root: otherRoot },
    open: (path: string, flags: string | number = 'r', mode?: number) => isReading(flags) ? eitherOf(path, (place) => place.fs.open(place.path, flags)) : own.open(path, flags, mode),
    readFile: (path: string, options: BufferEncoding | null = null) => eitherOf(path, (place) => place.fs.readFile(place.path, options)),
    stat: (path: string) => eitherOf(path, (place) => place.fs.stat(place.path)),
  }
  // As in objects/file-system.ts: the overloads cannot be written down otherwise.
  return made as unknown as FileSystem
}

const isSidecarKey = (key: string): boolean => {
  const at = key.lastIndexOf('/')
  const parsed = isFolderOfUploads(key.slice(0, at)) ? parseName(key.slice(at + 1)) : undefined
  return parsed !== undefined && parsed.extension === undefined
}

/** Of node:fs/promises more than a FileSystem has would come along. */
function bound (fs: FileSystem): FileSystem {
  const { objects, open, rename, unlink, mkdir, readdir, readFile, rm, rmdir, stat, statfs, realpath } = fs
  return { objects, open, rename, unlink, mkdir, readdir, readFile, rm, rmdir, stat, statfs, realpath }
}
