// A process's place in a backup folder: its heartbeat, so that two never write there at once, and its own folder for what is not finished.
import { performance } from 'node:perf_hooks'
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { errnoOf } from '../../storage/failures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { createDurable, type Durable } from '../../storage/volume/durable.ts'
import type { Role } from '../../storage/volume/instance.ts'
import { stagingFolder } from '../../storage/volume/layout.ts'
import { openStaging } from '../../storage/volume/staging.ts'
import type { Progress } from '../progress.ts'
import { Refusal } from '../refusal.ts'
import { namesIn } from './snapshots.ts'

export type Hold = {
  /** For what is not finished; gone with the hold, or with the next one when this process dies. */
  readonly folder: string
  readonly durable: Durable
  /** Makes the file durable under `path`, whole or not at all. */
  place (path: string, text: string): Promise<void>
  release (): Promise<void>
}

type Options = { readonly fs: FileSystem, readonly dir: string, readonly role: Role, readonly progress: Progress }

/** @throws Refusal when another process is at work in the folder */
export async function holdBackup ({ fs, dir, role, progress }: Options): Promise<Hold> {
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  const staging = await openStaging({ fs, durable, root: dir, role, monotonicMs: () => performance.now() })
  const [other] = await staging.living({
    relevant: ({ isExclusive }) => role.isExclusive || isExclusive,
    onWait: () => progress.say(`Another process may be at work in ${dir}, on another host or in another container: watching its heartbeat for up to 90 seconds.`),
  })
  if (other !== undefined) {
    await staging.close()
    throw new Refusal(`${dir} is in use: ${other.work} runs there as process ${other.pid}. Wait for its end and run this again.`)
  }
  // All others are dead: what they left is of no use to anyone.
  if (role.isExclusive) await removeDead(fs, dir, staging.folder)
  return {
    folder: staging.folder,
    durable,
    async place (path, text) {
      const fresh = join(staging.folder, randomUUID())
      await durable.writeNew(fresh, text)
      await fs.rename(fresh, path)
      await durable.syncFolder(dirname(path))
    },
    release: () => staging.close(),
  }
}

async function removeDead (fs: FileSystem, dir: string, own: string): Promise<void> {
  for (const name of await namesIn(fs, join(dir, stagingFolder))) {
    const path = join(dir, stagingFolder, name)
    if (path !== own) await fs.rm(path, { recursive: true, force: true })
  }
}

/** For reading: undefined when nothing can be written there, and so nobody else can be writing either. */
export async function holdForReading (options: Options): Promise<Hold | undefined> {
  try {
    return await holdBackup(options)
  } catch (error) {
    if (['EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT'].includes(errnoOf(error) ?? '')) return undefined
    throw error
  }
}
