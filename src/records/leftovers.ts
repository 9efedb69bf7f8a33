// What rebuilds and restores leave beside the embedded database: files of runs that were killed, and old databases kept on purpose.
import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ifAbsent } from '../storage/failures.ts'
import type { FileSystem } from '../storage/fs.ts'

/** After the name of the database: of one that is made anew, and of an old one that could not all be read. */
export const rebuildMark = '.rebuild-'
export const damagedMark = '.damaged-'

/** Before a UUID: of one that a restore copies. */
export const restoredMark = '.restored-'

type Kind = 'unfinished' | 'kept'

/** Files beside the database, with their logs, that are neither it nor its log. */
async function filesBeside (fs: FileSystem, databaseFile: string, kinds: readonly Kind[]): Promise<string[]> {
  // A rebuild works beside the file itself, not beside a link to it.
  const place = await realpath(databaseFile).catch(() => databaseFile)
  const names = await fs.readdir(dirname(place)).catch(ifAbsent<string[]>([]))
  const marks: Record<Kind, string[]> = { unfinished: [basename(place) + rebuildMark, restoredMark], kept: [basename(place) + damagedMark] }
  const wanted = kinds.flatMap((kind) => marks[kind])
  return names.filter((name) => wanted.some((mark) => name.startsWith(mark))).sort().map((name) => join(dirname(place), name))
}

/** Only where no rebuild and no restore can be at work: both are alone on the volume. */
export async function removeUnfinished (fs: FileSystem, databaseFile: string): Promise<void> {
  for (const file of await filesBeside(fs, databaseFile, ['unfinished'])) await fs.rm(file, { force: true })
}

/** Other copies of the database, or of a part of it: they may name whoever was erased since. */
export const copiesBeside = (fs: FileSystem, databaseFile: string): Promise<string[]> => filesBeside(fs, databaseFile, ['unfinished', 'kept'])
