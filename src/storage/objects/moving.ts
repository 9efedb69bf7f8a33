// rename(2) to an object, of a file or of another object: the bytes go through this machine, and what is under the new name is whole or absent.
import { createWriteStream } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { stagingFolder } from '../volume/layout.ts'
import type { FileSystem } from '../fs.ts'
import { errno } from './errno.ts'
import { isGrown, partKey } from './grown.ts'
import { isBlobKey, type Place } from './keys.ts'
import type { Looking } from './look.ts'
import type { Key, Objects } from './objects.ts'
import { removeBelow, removeFile } from './removing.ts'

type Options = { readonly objects: Objects, readonly local: FileSystem, readonly root: string, readonly looking: Pick<Looking, 'content'> }

export function createMoving ({ objects, local, root, looking }: Options) {
  async function upload (from: string, key: Key): Promise<void> {
    await objects.putFile(key, { path: from, size: (await local.stat(from)).size }, { ifAbsent: isBlobKey(key) })
    if (isGrown(key)) await removeBelow(objects, partKey(key, ''))
  }

  async function download (key: Key, from: string, temporary: string): Promise<void> {
    const content = await looking.content(key)
    if (content === undefined) throw errno('ENOENT', 'rename', from)
    const { size } = content.stats
    const bytes = size === 0 ? Readable.from([]) : await content.read({ start: 0, end: size - 1 })
    await pipeline(bytes, createWriteStream(temporary, { flags: 'wx', mode: 0o640 }))
  }

  /** Named as a process's own folder in staging, so that it goes when this is killed. */
  async function inTemporary (work: (path: string) => Promise<void>): Promise<void> {
    const folder = join(root, stagingFolder, randomUUID())
    await local.mkdir(folder, { recursive: true, mode: 0o750 })
    try {
      await work(join(folder, 'moving'))
    } finally {
      await local.rm(folder, { recursive: true, force: true })
    }
  }

  return async (from: { path: string, place: Place }, to: { path: string, place: Place }): Promise<void> => {
    if (from.place.is === 'local' && to.place.is === 'local') return local.rename(from.path, to.path)
    if (from.place.is === 'local' && to.place.is === 'object') {
      await upload(from.path, to.place.key)
      return local.unlink(from.path)
    }
    // Into a file of this machine nobody moves one: it would be gone from the store before the file is durable.
    if (from.place.is !== 'object' || to.place.is !== 'object') throw errno('ENOTSUP', 'rename', from.path)
    const [{ key }, { key: target }] = [from.place, to.place]
    if (target === key) return
    await inTemporary(async (temporary) => {
      await download(key, from.path, temporary)
      await upload(temporary, target)
    })
    await removeFile(objects, key)
  }
}
