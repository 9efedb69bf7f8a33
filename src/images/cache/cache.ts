// Variants that were made once: the small ones in memory, all of them on the volume under a budget. To lose any costs work, never a picture.
import { fileSystem, type FileSystem } from '../../storage/fs.ts'
import type { BlobId } from '../../storage/ids.ts'
import type { Rendered } from '../types.ts'
import { entryOf, factsOf, type Entry } from './entry.ts'
import { entryInFile } from './entry-file.ts'
import { createFolder } from './folder.ts'
import { entryPath, keyOf, placeOf, type Place } from './layout.ts'
import { createMemory } from './memory.ts'
import { occasionally, type Warn } from './occasional.ts'
import { createReader, markedAgainAfterMs } from './reader.ts'
import { createRoom } from './room.ts'
import { walkEntries, type Found } from './walk.ts'
import { createWriter, type IsWanted } from './writer.ts'

export type { Entry as CachedVariant } from './entry.ts'

export type VariantCache = ReturnType<typeof createVariantCache>

type Options = {
  /** Made when the folder around it is there. Several gateways may share it. */
  readonly folder: string
  readonly maxBytes: number
  readonly memoryBytes: number
  /** Hears at most once a minute of each kind of trouble. */
  readonly warn: Warn
  /** Throws when the volume has no space for what can be made again. */
  readonly checkSpace?: () => Promise<void>
  /** Whether this process keeps the budget of a folder that several share; the others only put into it. */
  readonly isKeeper?: () => boolean
  /** Hears of bytes that were put into the folder. */
  readonly onKept?: (bytes: number) => void
  readonly now?: () => Date
  readonly fs?: FileSystem
}

export function createVariantCache ({ folder, maxBytes, memoryBytes, warn: warnAlways, checkSpace = async () => {}, isKeeper = () => true, onKept = () => {}, now = () => new Date(), fs = fileSystem }: Options) {
  const nowMs = () => now().getTime()
  const warn = occasionally(warnAlways, now)
  const memory = createMemory(memoryBytes)
  const files = createFolder({ fs, folder })
  const reader = createReader({ fs, folder, files, warn, now })
  const room = createRoom({ maxBytes, isKeeper, now, remove: evict, walk: () => walkEntries({ fs, folder, now, warn }) })
  const writer = createWriter({ files, room, checkSpace, onKept, warn })
  const loading = new Map<string, Promise<Entry | undefined>>()

  async function evict (found: Found): Promise<boolean> {
    return files.evict(found).catch((error: unknown) => {
      warn(error, 'Files of the picture cache cannot be removed; it may take more room than it should.')
      return false
    })
  }

  async function load (place: Place): Promise<Entry | undefined> {
    const file = await reader.load(place)
    if (file === undefined) return undefined
    if (file.bytes === undefined) return entryInFile(fs, entryPath(folder, place), keyOf(place), file)
    return memory.set(place, file.facts, file.bytes, nowMs())
  }

  /** Those who ask at the same time share it. */
  function loadOnce (place: Place): Promise<Entry | undefined> {
    const key = keyOf(place)
    const current = loading.get(key)
    if (current !== undefined) return current
    const loaded = load(place).finally(() => loading.delete(key))
    loading.set(key, loaded)
    return loaded
  }

  function remembered (place: Place): Entry | undefined {
    const found = memory.get(place)
    if (found === undefined) return undefined
    if (nowMs() - found.markedAtMs >= markedAgainAfterMs) {
      found.markedAtMs = nowMs()
      reader.markUsed(place)
    }
    return found.entry
  }

  return {
    /** Makes the folder, and counts what is in it; nobody needs to wait for that. Does not fail. */
    async start (): Promise<void> {
      await files.make().catch((error: unknown) => warn(error, 'The picture cache has no folder; pictures are made again and again.'))
      await room.count()
    },

    /**
     * Undefined when it is to be made: a cache that cannot be read has nothing.
     * @throws TypeError for a name that `variantName` does not make
     */
    async get (blobId: BlobId, name: string): Promise<Entry | undefined> {
      const place = placeOf(blobId, name)
      return remembered(place) ?? writer.get(place) ?? loadOnce(place)
    },

    /** What is in memory of it. @throws TypeError as `get` */
    remembered: (blobId: BlobId, name: string): Entry | undefined => remembered(placeOf(blobId, name)),

    /**
     * To be served at once; it is kept in the background, if it can be. The blob may be removed, and what is kept of it with it, at any
     * time: `isWanted` is asked before, and again when the variant is in its place.
     * @throws TypeError for a name that `variantName` does not make
     */
    async put (blobId: BlobId, name: string, rendered: Rendered, isWanted: IsWanted = async () => true): Promise<Entry> {
      const place = placeOf(blobId, name)
      const facts = await factsOf(rendered)
      if (!await isWanted().catch(() => false)) return entryOf(facts, rendered.bytes)
      const entry = memory.set(place, facts, rendered.bytes, nowMs())
      writer.keep(place, entry, rendered.bytes, isWanted)
      return entry
    },

    /** Another process has put so many bytes into the folder. */
    note: (bytes: number): void => room.note(bytes),

    /** For who becomes the keeper: what is there now is counted, and taken away as far as it is too much. */
    count: (): Promise<void> => room.count(),

    /** Removes what was used longest ago until at most `toBytes` are taken; false when that could not be reached. */
    shrink: (toBytes: number): Promise<boolean> => room.shrink(toBytes),

    /** Ends what goes on in the background; what was not being written yet is not kept. */
    async close (): Promise<void> {
      await Promise.all([room.close(), writer.close()])
    },

    /** Bytes: on the volume as last counted, in memory, and on their way from there to the volume. */
    get usage (): { readonly disk: number, readonly memory: number, readonly waiting: number } {
      return { disk: room.usedBytes, memory: memory.bytes, waiting: writer.waitingBytes }
    },
  }
}
