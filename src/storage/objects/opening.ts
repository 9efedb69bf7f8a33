// open(2) for objects: which handle a path and its flags ask for.
import { constants, type Stats } from 'node:fs'
import { createAppendHandle } from './append-handle.ts'
import { errno } from './errno.ts'
import { isGrown } from './grown.ts'
import { isBlobKey, isFolderKey } from './keys.ts'
import type { Looking } from './look.ts'
import { ObjectMissing, type Key, type Objects } from './objects.ts'
import { createReadHandle } from './read-handle.ts'
import { inodeOf } from './stats.ts'
import { createWriteHandle } from './write-handle.ts'

type How = 'read' | 'folder' | 'update' | 'create' | 'append'

/** No more than is asked for. */
const named: Readonly<Record<string, How>> = { r: 'read', 'r+': 'update', wx: 'create', 'wx+': 'create', a: 'append' }

function howOf (flags: string | number): How | undefined {
  if (typeof flags === 'string') return named[flags]
  if ((flags & constants.O_APPEND) !== 0) return 'append'
  if ((flags & (constants.O_WRONLY | constants.O_RDWR)) !== 0) return undefined
  return (flags & (constants.O_DIRECTORY ?? 0)) !== 0 ? 'folder' : 'read'
}

export function createOpening (objects: Objects, looking: Looking) {
  const ino = (key: Key) => inodeOf(objects.name, key)

  async function openForReading (key: Key, path: string) {
    if (isFolderKey(key)) return folderHandle(looking.folder(key), path)
    const content = await looking.content(key)
    if (content !== undefined) return createReadHandle(content)
    if (await looking.isFolder(key)) return folderHandle(looking.folder(key), path)
    throw errno('ENOENT', 'open', path)
  }

  async function openFolder (key: Key, path: string) {
    if (await looking.isFolder(key)) return folderHandle(looking.folder(key), path)
    throw errno(await looking.content(key) === undefined ? 'ENOENT' : 'ENOTDIR', 'open', path)
  }

  async function openForUpdate (key: Key, path: string) {
    const bytes = await looking.whole(key, path).catch((error: unknown) => {
      throw error instanceof ObjectMissing ? errno('ENOENT', 'open', path) : error
    })
    return createWriteHandle({ path, ino: ino(key), bytes, isNew: false, put: (changed) => objects.putBytes(key, changed) })
  }

  return (key: Key, path: string, flags: string | number = 'r') => {
    const how = howOf(flags)
    if (how === 'read') return openForReading(key, path)
    if (how === 'folder') return openFolder(key, path)
    if (isFolderKey(key)) throw errno('EISDIR', 'open', path)
    if (how === 'append' && isGrown(key)) return createAppendHandle(objects, key)
    if (isGrown(key) || (isBlobKey(key) && how !== 'create')) throw errno('ENOTSUP', 'open', path)
    if (how === 'update') return openForUpdate(key, path)
    if (how === 'create') return createWriteHandle({ path, ino: ino(key), bytes: Buffer.alloc(0), isNew: true, put: (bytes, isFirst) => objects.putBytes(key, bytes, { ifAbsent: isFirst }) })
    throw errno('ENOTSUP', 'open', path)
  }
}

/** There is nothing to make durable of it. */
function folderHandle (stats: Stats, path: string) {
  const refuse = async (): Promise<never> => { throw errno('EISDIR', 'read', path) }
  return { stat: async () => stats, sync: async () => {}, close: async () => {}, read: refuse, readFile: refuse }
}
