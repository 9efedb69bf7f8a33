// Reading variants out of the cache folder: what is damaged is removed, and what is used is marked so.
import { LRUCache } from 'lru-cache'
import { errnoOf } from '../../storage/failures.ts'
import { readOrdinary, type FileSystem } from '../../storage/fs.ts'
import { Damaged, openEntry, verifyBytes, type EntryFile } from './entry-file.ts'
import type { Folder } from './folder.ts'
import { entryPath, keyOf, type Place } from './layout.ts'
import type { Warn } from './occasional.ts'

/** The files that were read to the end once, and were right: a few megabytes. */
const mostVerified = 30_000

/** To mark a file as used is a write; not every read is worth one. */
export const markedAgainAfterMs = 5 * 60_000

export type Reader = ReturnType<typeof createReader>

type Options = { fs: FileSystem, folder: string, files: Pick<Folder, 'holds' | 'drop'>, warn: Warn, now: () => Date }

export function createReader ({ fs, folder, files, warn, now }: Options) {
  const verified = new LRUCache<string, string>({ max: mostVerified })

  async function read (place: Place): Promise<Omit<EntryFile, 'handle'> | undefined> {
    if (!await files.holds(place)) return undefined
    const key = keyOf(place)
    const file = await openEntry(fs, entryPath(folder, place), key)
    try {
      if (verified.get(key) !== file.fingerprint) await verifyBytes(file)
      verified.set(key, file.fingerprint)
      if (Math.abs(now().getTime() - file.usedAtMs) >= markedAgainAfterMs) await mark(file)
      return file
    } finally {
      await file.handle.close().catch(() => {})
    }
  }

  /** By its time of modification: programs that only look at files change the other one. */
  const mark = ({ handle }: Pick<EntryFile, 'handle'>): Promise<void> => handle.utimes(now(), now()).catch(() => {})

  return {
    /** The entry's file, closed again; undefined when there is none that can be used. Never throws. */
    async load (place: Place): Promise<Omit<EntryFile, 'handle'> | undefined> {
      try {
        return await read(place)
      } catch (error) {
        if (isMissing(error)) return undefined
        const isDamaged = error instanceof Damaged
        warn(error, isDamaged ? 'A file in the picture cache is damaged; it is removed, and the picture is made again.' : 'The picture cache cannot be read; pictures are made again.')
        if (isDamaged) await files.drop(place).catch(() => {})
        return undefined
      }
    },

    /** Marks the file of what is served from memory, if there is one still. Never throws. */
    async markUsed (place: Place): Promise<void> {
      const handle = await fs.open(entryPath(folder, place), readOrdinary).catch(() => undefined)
      if (handle === undefined) return
      await mark({ handle })
      await handle.close().catch(() => {})
    },
  }
}

/** Also where one of the folders is a file. */
const isMissing = (error: unknown): boolean => errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR'
