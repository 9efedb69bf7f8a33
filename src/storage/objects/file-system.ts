// An object store as the uploads volume: what others see is in the store, what is only of use here stays on this machine's disk.
import type { Dirent } from 'node:fs'
import { createLooking } from './look.ts'
import { createMoving } from './moving.ts'
import { createOpening } from './opening.ts'
import { errno } from './errno.ts'
import type { FileHandle, FileSystem } from '../fs.ts'
import { errnoOf } from '../failures.ts'
import { nothingOwn, type IsOwn } from '../volume/own-files.ts'
import { createPlaces, type Place } from './keys.ts'
import type { Key, Objects } from './objects.ts'
import { removeFile, removeTree } from './removing.ts'

type Options = {
  readonly objects: Objects
  /** UPLOADS_DIR, which holds what is in flight and what can be made again. */
  readonly root: string
  /** Under other names too. */
  readonly roots?: readonly string[]
  readonly isOwn?: IsOwn
  readonly local: FileSystem
}

type EntryOptions = { readonly withFileTypes?: boolean }
type RemoveOptions = { readonly recursive?: boolean, readonly force?: boolean }
type TextOptions = { readonly encoding?: BufferEncoding | null } | BufferEncoding | null

export function createObjectFileSystem ({ objects, root, roots = [root], isOwn = nothingOwn, local }: Options): FileSystem {
  const placeOf = createPlaces(roots, isOwn)
  const looking = createLooking(objects)
  const open = createOpening(objects, looking)
  const move = createMoving({ objects, local, root, looking })

  /** Of a process in another place there is a heartbeat, and no folder. */
  async function statInStaging (key: Key, path: string) {
    const isThere = await local.stat(path).then(() => true, (error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error
      return looking.isFolder(key)
    })
    if (isThere) return looking.folder(key)
    throw errno('ENOENT', 'stat', path)
  }

  /** The folders of all processes, wherever they are; of one, what it has here. */
  async function entriesInStaging (key: Key, path: string) {
    if (key.includes('/')) return local.readdir(path, { withFileTypes: true })
    const here = await local.readdir(path, { withFileTypes: true }).catch(noneIfAbsent)
    const known = new Set(here.map(({ name }) => name))
    const there = await looking.entries(key, path).catch(noneIfAbsent)
    return [...here, ...there.filter(({ name }) => !known.has(name))]
  }

  function entriesAt (place: Exclude<Place, { is: 'local' }>, path: string) {
    if (place.is === 'staging') return entriesInStaging(place.key, path)
    return looking.entries(place.is === 'root' ? '' : place.key, path)
  }

  /** @throws ENOENT as unlink(2) does, which takes a call more */
  async function unlink (key: Key, path: string): Promise<void> {
    if (await looking.content(key) === undefined) throw errno('ENOENT', 'unlink', path)
    await removeFile(objects, key)
  }

  async function remove (key: Key, path: string, { recursive = false, force = false }: RemoveOptions = {}): Promise<void> {
    const isThere = force || await looking.content(key) !== undefined || (recursive && await looking.isFolder(key))
    if (!isThere) throw errno('ENOENT', 'rm', path)
    await (recursive ? removeTree(objects, key) : removeFile(objects, key))
  }

  const made = {
    objects,

    async open (path: string, flags?: string | number, mode?: number) {
      const place = placeOf(path)
      return place.is === 'object' ? open(place.key, path, flags) as unknown as FileHandle : local.open(path, flags, mode)
    },

    async rename (from: string, to: string): Promise<void> {
      await move({ path: from, place: placeOf(from) }, { path: to, place: placeOf(to) })
    },

    async unlink (path: string): Promise<void> {
      const place = placeOf(path)
      await (place.is === 'object' ? unlink(place.key, path) : local.unlink(path))
    },

    /** A folder is there as soon as something is in it. */
    async mkdir (path: string, options?: object) {
      return placeOf(path).is === 'object' ? undefined : local.mkdir(path, options)
    },

    async rmdir (path: string): Promise<void> {
      const place = placeOf(path)
      if (place.is !== 'object') return local.rmdir(path)
      const entries = await looking.entries(place.key, path)
      if (entries.length > 0) throw errno('ENOTEMPTY', 'rmdir', path)
    },

    async readdir (path: string, { withFileTypes = false }: EntryOptions = {}) {
      const place = placeOf(path)
      if (place.is === 'local') return withFileTypes ? local.readdir(path, { withFileTypes: true }) : local.readdir(path)
      const entries = await entriesAt(place, path)
      return withFileTypes ? entries : entries.map(({ name }) => name)
    },

    async readFile (path: string, options: TextOptions = null) {
      const place = placeOf(path)
      if (place.is !== 'object') return local.readFile(path, options)
      const bytes = await looking.whole(place.key, path)
      const encoding = typeof options === 'string' ? options : options?.encoding
      return encoding == null ? bytes : bytes.toString(encoding)
    },

    async rm (path: string, options: RemoveOptions = {}): Promise<void> {
      const place = placeOf(path)
      if (place.is === 'object') return remove(place.key, path, options)
      await local.rm(path, options)
      if (place.is === 'staging') await removeTree(objects, place.key)
    },

    async stat (path: string) {
      const place = placeOf(path)
      if (place.is === 'object') return looking.stats(place.key, path)
      return place.is === 'staging' ? statInStaging(place.key, path) : local.stat(path)
    },

    statfs: (path: string) => local.statfs(placeOf(path).is === 'object' ? root : path),

    /** No object is a link. */
    realpath: async (path: string) => placeOf(path).is === 'object' ? path : local.realpath(path),
  }
  // The overloads of node:fs/promises cannot be written down otherwise; what of them is used is here.
  return made as unknown as FileSystem
}

function noneIfAbsent (error: unknown): Dirent[] {
  if (errnoOf(error) !== 'ENOENT') throw error
  return []
}
