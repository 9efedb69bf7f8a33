// Files that are not imported yet, from the folders of the older systems: only read, and only until this gateway knows their path.
import { createHash } from 'node:crypto'
import { realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { LRUCache } from 'lru-cache'
import { ConfigError } from '../config.ts'
import { StorageUnavailable } from '../errors.ts'
import { openOldFile, readOldFile, type OldFile } from '../storage/old-folder.ts'
import { isWithin } from '../storage/place.ts'
import type { Representation } from '../transfer/representation.ts'
import { sniff, sniffedBytes, typeOfName } from '../transfer/sniff.ts'

/** A folder whose files answer below `prefix`; `root` is a real path. */
type Place = { readonly prefix: string, readonly root: string }

/** What was read of a file once, for as long as it is not written again. */
type Read = { readonly sha256: string, readonly contentType: string }

const prefixes = ['/i/', '/uploads/']

/** A few megabytes. */
const mostRemembered = 10_000

const readBytes = 256 * 1024

type Options = {
  /** Public folders of the older systems. */
  folders: readonly string[]
  /** The uploads volume and the database: nothing of them may be in one of the folders. */
  own: readonly string[]
  /** Whether this gateway has a say in an old path. */
  isKnown: (path: string) => Promise<boolean>
}

/** @throws ConfigError where a folder has nothing to serve, or would serve the volume itself */
export async function createReadThrough ({ folders, own, isKnown }: Options): Promise<(path: string) => Promise<Representation | undefined>> {
  const places = (await Promise.all(folders.map(placesIn))).flat()
  await refuseOwn(places, own)
  const reads = new LRUCache<string, Promise<Read>>({ max: mostRemembered })

  return async (path) => {
    if (places.length === 0 || await isKnown(path)) return undefined
    for (const { prefix, root } of places) {
      if (!path.startsWith(prefix)) continue
      const found = await representation(root, path.slice(prefix.length), reads)
      if (found !== undefined) return found
    }
  }
}

async function placesIn (folder: string): Promise<Place[]> {
  const found = await Promise.all(prefixes.map(async (prefix) => {
    const root = await realpath(join(folder, prefix)).catch(() => undefined)
    return root !== undefined && (await stat(root)).isDirectory() ? [{ prefix, root }] : []
  }))
  // A typing mistake must not look like files that are gone.
  if (found.flat().length === 0) throw new ConfigError(`READ_THROUGH_DIRS names ${folder}, which has neither a folder i nor a folder uploads in it. Name the public folder of an older system, or take it out once everything is imported.`)
  return found.flat()
}

async function refuseOwn (places: readonly Place[], own: readonly string[]): Promise<void> {
  for (const path of own) {
    const real = await realpath(path).catch(() => path)
    const open = places.find(({ root }) => isWithin(root, real) || isWithin(real, root))
    if (open !== undefined) throw new ConfigError(`READ_THROUGH_DIRS would serve ${open.root}, and ${path} lies there or around it: all uploads, or the database, would be open to everyone. Name the public folder of an older system.`)
  }
}

async function representation (root: string, path: string, reads: LRUCache<string, Promise<Read>>): Promise<Representation | undefined> {
  if (path.split('/').some((name) => name.startsWith('.'))) return undefined
  const file = await openOldFile(root, path).catch(() => undefined)
  if (file === undefined) return undefined
  const key = `${file.fingerprint} ${root}/${path}`
  try {
    const read = reads.get(key) ?? readOnce(file, path)
    reads.set(key, read)
    const { sha256, contentType } = await read
    return {
      size: file.size, sha256, contentType, lastModified: file.mtime, cacheControl: 'public, no-cache', isPublic: true, filename: path.slice(path.lastIndexOf('/') + 1),
      read: (range) => stream(root, path, file.fingerprint, range),
    }
  } catch (cause) {
    reads.delete(key)
    throw new StorageUnavailable({ cause })
  } finally {
    await file.handle.close()
  }
}

async function readOnce (file: OldFile, path: string): Promise<Read> {
  const hash = createHash('sha256')
  let head = Buffer.alloc(0)
  for await (const chunk of readOldFile(file)) {
    if (head.length < sniffedBytes) head = Buffer.concat([head, chunk.subarray(0, sniffedBytes)])
    hash.update(chunk)
  }
  return { sha256: hash.digest('hex'), contentType: (await sniff(head.subarray(0, sniffedBytes), typeOfName(path))).contentType }
}

/** Opened when its turn has come; by then it must still be what the headers say. */
async function stream (root: string, path: string, fingerprint: string, range: Parameters<Representation['read']>[0]): Promise<Readable> {
  const file = await openOldFile(root, path).catch((cause: unknown) => { throw new StorageUnavailable({ cause }) })
  if (file.fingerprint === fingerprint) return file.handle.createReadStream({ ...range, highWaterMark: readBytes })
  await file.handle.close()
  throw new StorageUnavailable({ cause: new Error(`${root}/${path} changed while it was served`) })
}
