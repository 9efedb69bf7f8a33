// What is in the cache folder: every entry with what it takes of the disk and when it was used last, whoever put it there.
import type { Dirent } from 'node:fs'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { errnoOf } from '../../storage/failures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { isBlobFolder, isShard, isTemporary, maxEntryBytes, parsePlace, type Place } from './layout.ts'
import type { Warn } from './occasional.ts'

export type Found = Place & {
  /** As `diskBytes` says. */
  readonly bytes: number
  readonly usedAtMs: number
  /** As the file has it. */
  readonly modifiedAtMs: number
}

/** Writing one takes a second, not an hour: its process is dead. */
const abandonedAfterMs = 3_600_000

/** Of the machines that share the folder. */
const clockSkewMs = 60_000

/** Of the four threads that file access has by default. */
const threads = 2

const blockBytes = 4096

/** What a file of `size` bytes takes of the disk: whole blocks, and its folder, which others may share. */
export const diskBytes = (size: number): number => (Math.ceil(size / blockBytes) + 1) * blockBytes

type Options = { fs: FileSystem, folder: string, now: () => Date, warn: Warn }

/**
 * Entries in no order, by the hundred. Takes away what processes that died left, and what cannot be an entry by its size; what no
 * gateway named stays. Never throws: what cannot be read is left out, and `warn` hears of it.
 */
export async function * walkEntries ({ fs, folder, now, warn }: Options): AsyncGenerator<Found[]> {
  const gate = pLimit(threads)

  /** Undefined when there is no such file any more. */
  const look = (path: string) => fs.stat(path).catch(() => undefined)

  const list = (path: string): Promise<Dirent[]> => fs.readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') warn(error, 'A folder of the picture cache cannot be listed; what is in it does not count towards its budget.')
    return []
  })

  /** Of a clock that was wrong all would be newer than what is used now, and stay for ever: they were used longest ago. */
  const plausible = (usedAtMs: number): number => usedAtMs > now().getTime() + clockSkewMs ? 0 : usedAtMs

  async function isAbandoned (path: string): Promise<boolean> {
    const stat = await look(path)
    return stat !== undefined && stat.mtimeMs < now().getTime() - abandonedAfterMs
  }

  async function inBlobFolder (shard: string, blob: string): Promise<Found[]> {
    const path = join(folder, shard, blob)
    const entries = await list(path)
    const found: Found[] = []
    for (const { name } of entries.filter((entry) => entry.isFile())) {
      const place = parsePlace(blob, name)
      const stat = place && await look(join(path, name))
      if (place === undefined || stat === undefined) continue
      if (stat.size > maxEntryBytes) await fs.unlink(join(path, name)).catch(() => {})
      else found.push({ ...place, bytes: diskBytes(stat.size), usedAtMs: plausible(stat.mtimeMs), modifiedAtMs: stat.mtimeMs })
    }
    if (entries.length === 0 && await isAbandoned(path)) await fs.rmdir(path).catch(() => {})
    return found
  }

  for (const entry of await list(folder)) {
    const path = join(folder, entry.name)
    if (entry.isFile() && isTemporary(entry.name) && await isAbandoned(path)) await fs.unlink(path).catch(() => {})
    if (!entry.isDirectory() || !isShard(entry.name)) continue
    const blobs = (await list(path)).filter((one) => one.isDirectory() && isBlobFolder(entry.name, one.name))
    yield (await gate.map(blobs, ({ name }) => inBlobFolder(entry.name, name))).flat()
  }
}
