// Where a command that only reads goes when the volume takes no writes, being full or read-only: a folder among the system's temporary files, and a copy of the database there.
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { DatabaseAddress } from '../config.ts'
import { copyDatabase } from '../records/copy.ts'
import { openDatabase, type Database } from '../records/database.ts'
import { writeFailure } from '../records/failures.ts'
import { errnoOf, isFull } from '../storage/failures.ts'
import type { FileSystem } from '../storage/fs.ts'
import { createDurable } from '../storage/volume/durable.ts'
import { openTemporary } from './backup/temporary.ts'
import type { Progress } from './progress.ts'
import { Refusal } from './refusal.ts'

export type Retreat = ReturnType<typeof createRetreat>

/** SQLite makes a file of 32 KiB before it reads anything. */
const needed = 'x'.repeat(64 * 1024)

export function createRetreat (fs: FileSystem, progress: Pick<Progress, 'say'>) {
  let opened: ReturnType<typeof openTemporary> | undefined
  const folder = async (): Promise<string> => (await (opened ??= openTemporary({ fs, prefix: 'upload-gateway-reading-' }))).folder
  return {
    folder,
    /** For the heartbeat that the volume does not take. */
    async home (): Promise<string> {
      progress.say('The volume takes no writes, so no other process sees this one: begin no rebuild and no restore until it is done.')
      return folder()
    },
    async copyOf (databaseFile: string): Promise<string> {
      progress.say(`The database ${databaseFile} cannot be opened where it is, because nothing can be written there: a copy of it is read.`)
      return copyDatabase(databaseFile, await folder())
    },
    /** Whoever asked for what could not be opened was told. */
    async close (): Promise<void> { await (await opened?.catch(() => undefined))?.close() },
  }
}

/** Of a command, to PostgreSQL. */
const connections = 4

/**
 * The database at `wanted`, or with a `retreat`, where SQLite cannot write, a copy. `address`: where it is open. `isReadOnly`: nothing is
 * migrated, and no connection can write.
 * @throws Refusal, ConfigError
 */
export async function openReadable (fs: FileSystem, wanted: DatabaseAddress, retreat: Retreat | undefined, isReadOnly = false): Promise<{ database: Database, address: DatabaseAddress }> {
  // Whether the database may lie where it does was settled when the gateway made it.
  const open = async (address: DatabaseAddress) => ({ database: await openDatabase({ address, requireMount: false, connections, isReadOnly }), address })
  try {
    return await open(wanted)
  } catch (error) {
    if (wanted.kind === 'postgresql') throw error
    const { file } = wanted
    const why = writeFailure(error) ? await obstacleTo(fs, dirname(file)) : undefined
    if (why === undefined) throw error
    if (retreat === undefined) throw new Refusal(`The database ${file} cannot be opened, because its file system is ${why}, and run this again. "upload-gateway verify" and "backup" work there as it is.`, { cause: error })
    return open({ kind: 'sqlite', file: await retreat.copyOf(file) })
  }
}

/** Why nothing can be written there, and what to do; undefined when something can. */
async function obstacleTo (fs: FileSystem, folder: string): Promise<string | undefined> {
  const path = join(folder, `.write-test-${randomUUID()}`)
  try {
    await createDurable({ fs, onSyncFailure: () => {} }).writeNew(path, needed)
    await fs.unlink(path)
    return undefined
  } catch (error) {
    if (isFull(error)) return 'full: free some space or inodes on it'
    return errnoOf(error) === 'EROFS' ? 'read-only: mount it writable' : undefined
  }
}
