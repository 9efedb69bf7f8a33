// The keys that a gateway made for itself, beside its database: part of a backup only when asked for.
import { mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { FileSystem } from '../../storage/fs.ts'
import { keysFolder } from './layout.ts'
import { namesIn } from './snapshots.ts'

/** What tokens of embedded accounts are signed with, what links and media sessions are, and what receipts of erasures are. */
const keyFiles: readonly string[] = ['jwt.secret', 'link.secret', 'erasure-signing.jwk']

/** Copies those that are there. Returns their paths in the snapshot. */
export async function backUpKeys (fs: FileSystem, databaseFile: string, work: string): Promise<string[]> {
  await mkdir(join(work, keysFolder), { mode: 0o700 })
  return copyKeys(fs, dirname(databaseFile), join(work, keysFolder)).then((names) => names.map((name) => `${keysFolder}/${name}`))
}

/** Brings those that the snapshot has to beside the database; one that is there already stays. Returns their names. */
export const restoreKeys = (fs: FileSystem, snapshotRoot: string, databaseFile: string): Promise<string[]> =>
  copyKeys(fs, join(snapshotRoot, keysFolder), dirname(databaseFile))

async function copyKeys (fs: FileSystem, from: string, to: string): Promise<string[]> {
  const there = await namesIn(fs, to)
  const names = (await namesIn(fs, from)).filter((name) => keyFiles.includes(name) && !there.includes(name))
  for (const name of names) {
    const handle = await open(join(to, name), 'wx', 0o600)
    try {
      await handle.writeFile(await fs.readFile(join(from, name)))
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
  return names
}
