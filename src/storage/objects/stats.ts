// What stat(2) and readdir(3) say of objects, and of the folders that their keys seem to lie in.
import { createHash } from 'node:crypto'
import type { Dirent, Stats } from 'node:fs'
import { getgid, getuid } from 'node:process'
import type { Key } from './objects.ts'

type Is = 'file' | 'folder'

export type Facts = { readonly is: Is, readonly size: number, readonly modifiedAt: Date, /** Another one for each key of each store. */ readonly ino: number }

/** The same wherever the store is seen from: by this a heartbeat tells the store it was written in from a copy. */
export function inodeOf (store: string, key: Key): number {
  return createHash('sha256').update(`${store}\0${key}`).digest().readUIntBE(0, 6)
}

const kindOf = (is: Is) => ({
  isFile: () => is === 'file',
  isDirectory: () => is === 'folder',
  isSymbolicLink: () => false,
  isFIFO: () => false,
  isSocket: () => false,
  isBlockDevice: () => false,
  isCharacterDevice: () => false,
})

/** Whoever may use the store owns all that is in it. */
export function statsOf ({ is, size, modifiedAt, ino }: Facts): Stats {
  const ms = modifiedAt.getTime()
  return {
    ...kindOf(is), size, ino, dev: 0, nlink: 1, rdev: 0, blksize: 1024 ** 2, blocks: Math.ceil(size / 512),
    mode: is === 'file' ? 0o100640 : 0o040750, uid: getuid?.() ?? 0, gid: getgid?.() ?? 0,
    atime: modifiedAt, mtime: modifiedAt, ctime: modifiedAt, birthtime: modifiedAt,
    atimeMs: ms, mtimeMs: ms, ctimeMs: ms, birthtimeMs: ms,
  }
}

export const direntOf = (parentPath: string, name: string, is: Is): Dirent => ({ ...kindOf(is), name, parentPath }) as Dirent
