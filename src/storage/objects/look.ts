// What is under a key: an object, several that are one file, or, as a folder would be, the beginning of other keys.
import type { Dirent, Stats } from 'node:fs'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { errno } from './errno.ts'
import { fileOf, findGrown, isGrown, journalKeys, readGrown, readWholeGrown } from './grown.ts'
import { below, isFolderKey } from './keys.ts'
import type { Key, Objects } from './objects.ts'
import type { Content } from './read-handle.ts'
import { direntOf, inodeOf, statsOf } from './stats.ts'

export type Looking = ReturnType<typeof createLooking>

export function createLooking (objects: Objects) {
  const inode = (key: Key) => inodeOf(objects.name, key)

  /** Undefined when there is no object of that name. */
  async function content (key: Key): Promise<Content | undefined> {
    if (journalKeys.includes(key)) {
      const journal = await readWholeGrown(objects, key)
      return journal && { stats: statsOf({ is: 'file', ...journal, ino: inode(key) }), read: async ({ start, end }) => Readable.from([journal.bytes.subarray(start, end + 1)]) }
    }
    if (isGrown(key)) {
      const grown = await findGrown(objects, key)
      return grown && { stats: statsOf({ is: 'file', ...grown, ino: inode(key) }), read: async (range) => readGrown(objects, grown, range) }
    }
    const found = await objects.head(key)
    return found && { stats: statsOf({ is: 'file', size: found.size, modifiedAt: found.modifiedAt, ino: inode(key) }), read: (range) => objects.read(key, range) }
  }

  const folder = (key: Key): Stats => statsOf({ is: 'folder', size: 0, modifiedAt: new Date(0), ino: inode(key) })

  async function isFolder (key: Key): Promise<boolean> {
    if (isFolderKey(key)) return true
    for await (const { objects: found, prefixes } of objects.level(below(key))) if (found.length > 0 || prefixes.length > 0) return true
    return false
  }

  async function * names (key: Key, path: string): AsyncGenerator<Dirent> {
    const parent = below(key)
    const seen = new Set<string>()
    const fresh = (full: Key): string => {
      const name = full.slice(parent.length)
      const isSeen = seen.has(name) || name === ''
      seen.add(name)
      return isSeen ? '' : name
    }
    for await (const { objects: found, prefixes } of objects.level(parent)) {
      for (const one of found) {
        const name = fresh(one.key)
        if (name !== '') yield direntOf(path, name, 'file')
      }
      for (const prefix of prefixes) {
        const file = fileOf(prefix)
        const isFile = file !== prefix && isGrown(file)
        const name = fresh(isFile ? file : prefix.slice(0, -1))
        if (name !== '') yield direntOf(path, name, isFile ? 'file' : 'folder')
      }
    }
  }

  return {
    content,
    folder,
    isFolder,

    /** @throws ENOENT */
    async stats (key: Key, path: string): Promise<Stats> {
      if (isFolderKey(key)) return folder(key)
      const found = await content(key)
      if (found !== undefined) return found.stats
      if (await isFolder(key)) return folder(key)
      throw errno('ENOENT', 'stat', path)
    },

    /** By name. @throws ENOENT, ENOTDIR */
    async entries (key: Key, path: string): Promise<Dirent[]> {
      const entries: Dirent[] = []
      for await (const entry of names(key, path)) entries.push(entry)
      if (entries.length > 0 || key === '' || isFolderKey(key)) return entries
      throw errno(await content(key) === undefined ? 'ENOENT' : 'ENOTDIR', 'scandir', path)
    },

    /** All of it, in one call for most. @throws ObjectMissing, ENOENT */
    async whole (key: Key, path: string): Promise<Buffer> {
      if (!isGrown(key)) return buffer(await objects.read(key))
      const grown = await readWholeGrown(objects, key)
      if (grown === undefined) throw errno('ENOENT', 'open', path)
      return grown.bytes
    },
  }
}
