// What is really on the volume, file by file, whatever the records say: blobs and sidecars by id, and everything else.
import type { Dirent } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { ifAbsent } from '../failures.ts'
import type { FileSystem } from '../fs.ts'
import { timeOf, type BlobId } from '../ids.ts'
import type { BlobAddress, Kind } from '../store.ts'
import { nothingOwn, type IsOwn } from './own-files.ts'
import { dayFolder, kindFolder, kinds, parseName, rootNames } from './layout.ts'

/** An id on the volume: its blob, its sidecar or both, in the folder where they belong. */
export type FoundBlob = BlobAddress & {
  /** Extensions of the blob files under this id: one, unless somebody else put a file there. */
  readonly extensions: readonly string[]
  readonly hasSidecar: boolean
}

/** A file, link or folder that the gateway did not put there, or not there. `path` is relative to the root. */
export type ForeignEntry = { readonly path: string, readonly what: 'file' | 'symbolic link' | 'folder' | 'special file' }

export type ScannedFolder = { readonly blobs: FoundBlob[], readonly foreign: ForeignEntry[] }

type Place = { readonly fs: FileSystem, readonly root: string, readonly isOwn: IsOwn }

/** Each day's folder in turn, oldest first, and the folders above it for what does not belong there. `isOwn`: belongs everywhere. */
export async function * scanVolume (fs: FileSystem, root: string, isOwn = nothingOwn): AsyncGenerator<ScannedFolder> {
  const place = { fs, root, isOwn }
  const strangers = foreignAmong(place, root, (await entriesOf(fs, root)).filter(({ name }) => !rootNames.has(name)))
  if (strangers.length > 0) yield { blobs: [], foreign: strangers }
  for (const kind of kinds) yield * scan(place, kindFolder(root, kind), kind, 0)
}

/** A few milliseconds. */
const entriesPerTurn = 200

const dayMs = 86_400_000

const namePatterns = [/^\d{4}$/, /^\d{2}$/, /^\d{2}$/]

async function * scan (place: Place, folder: string, kind: Kind, depth: number): AsyncGenerator<ScannedFolder> {
  const pattern = namePatterns[depth]
  if (pattern === undefined) return yield scanDay(place, folder, kind)
  const entries = (await entriesOf(place.fs, folder)).sort((a, b) => a.name < b.name ? -1 : 1)
  const isOurs = (entry: Dirent) => entry.isDirectory() && pattern.test(entry.name)
  const foreign = foreignAmong(place, folder, entries.filter((entry) => !isOurs(entry)))
  if (foreign.length > 0) yield { blobs: [], foreign }
  for (const entry of entries.filter(isOurs)) yield * scan(place, join(folder, entry.name), kind, depth + 1)
}

async function scanDay (place: Place, folder: string, kind: Kind): Promise<ScannedFolder> {
  const { fs, root, isOwn } = place
  const found = new Map<BlobId, { extensions: string[], hasSidecar: boolean }>()
  const foreign: ForeignEntry[] = []
  const folderOf = daysOf(root, kind)
  const within = relative(root, folder)
  let count = 0
  for (const entry of await entriesOf(fs, folder)) {
    // A day may have a hundred thousand uploads, and requests wait meanwhile.
    if (++count % entriesPerTurn === 0) await setImmediate()
    if (isOwn(`${within}/${entry.name}`)) continue
    const name = entry.isFile() ? parseName(entry.name) : undefined
    if (name === undefined || folderOf(name.id) !== folder) {
      foreign.push(foreignEntry(root, folder, entry))
      continue
    }
    const known = found.get(name.id) ?? { extensions: [], hasSidecar: false }
    found.set(name.id, name.extension === undefined ? { ...known, hasSidecar: true } : { ...known, extensions: [...known.extensions, name.extension] })
  }
  return { foreign, blobs: Array.from(found, ([id, { extensions, hasSidecar }]) => ({ kind, id, extension: extensions[0] ?? 'bin', extensions, hasSidecar })) }
}

/** The folder that an id belongs into: for ids of which most are of one day. */
function daysOf (root: string, kind: Kind): (id: BlobId) => string {
  let day: number | undefined
  let folder = ''
  return (id) => {
    const its = Math.floor(timeOf(id).getTime() / dayMs)
    if (its !== day) folder = dayFolder(root, { kind, id })
    day = its
    return folder
  }
}

const foreignAmong = ({ root, isOwn }: Place, folder: string, entries: readonly Dirent[]): ForeignEntry[] =>
  entries.map((entry) => foreignEntry(root, folder, entry)).filter(({ path }) => !isOwn(path))

function foreignEntry (root: string, folder: string, entry: Dirent): ForeignEntry {
  const path = relative(root, join(folder, basename(entry.name)))
  if (entry.isSymbolicLink()) return { path, what: 'symbolic link' }
  if (entry.isDirectory()) return { path, what: 'folder' }
  return { path, what: entry.isFile() ? 'file' : 'special file' }
}

const entriesOf = (fs: FileSystem, folder: string): Promise<Dirent[]> => fs.readdir(folder, { withFileTypes: true }).catch(ifAbsent([]))
