// The database: of the embedded one where it lies, whether it is sound, set as the gateway needs it, and of this volume. And the clock, as its records know it.
import { dirname } from 'node:path'
import type { Config } from '../../config.ts'
import { conditionOf, type Condition } from '../../records/condition.ts'
import { refuseUnsafe } from '../../records/embedded.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { identityAt } from '../../storage/identity.ts'
import { asGatewayUser, denialAt, isDenied } from '../access.ts'
import { belonging, clock, usage, version } from './agreement.ts'
import { checking, ok, problem, reasonOf, unknown, warning, type Check, type Seen } from './check.ts'
import { checkPostgres, type PostgresSettings } from './postgres.ts'

type Options<Settings> = { config: Settings, fs: FileSystem, now: () => Date }

type FileSettings = Pick<Config, 'uploadsDir' | 'requireMount'>

/** A checkpoint keeps it far below that. */
const largeLogBytes = 256 * 1024 ** 2

export async function checkDatabase ({ config, fs, now }: Options<FileSettings & PostgresSettings>): Promise<Check[]> {
  const { database } = config
  if (database.kind === 'sqlite') return checkFile(database.file, { config, fs, now })
  return checkPostgres({ config, fs, now, look: async () => (await import('../../records/postgres/condition.ts')).postgresCondition(database.url, now) })
}

async function checkFile (file: string, { config, fs, now }: Options<FileSettings>): Promise<Check[]> {
  const { uploadsDir: root, requireMount } = config
  const denial = await denialAt(fs, file)
  if (denial !== undefined) return checking('database', [{ name: 'file', look: () => problem(`${denial}.`, asGatewayUser) }])
  const condition = await isThere(fs, file) ? await Promise.resolve().then(() => conditionOf(file)).catch(reasonOf) : undefined
  if (condition === undefined) return checking('database', [{ name: 'file', look: () => absent(fs, root, file) }])
  if (typeof condition === 'string') return checking('database', [{ name: 'file', look: () => problem(`${file} cannot be read: ${condition}`, 'If it is damaged, stop the gateway and make it anew from the volume with "upload-gateway rebuild".') }])
  return checking('database', [
    { name: 'file', look: () => ok(`${file}: ${megabytes(condition.bytes)}.`) },
    { name: 'place', look: async () => place(file, (await fs.statfs(dirname(file))).type, requireMount) },
    { name: 'soundness', look: () => condition.faults.length === 0 ? ok('SQLite finds nothing wrong with it.') : problem(`SQLite says: ${condition.faults.slice(0, 3).join('; ')}.`, 'Stop the gateway and make it anew from the volume with "upload-gateway rebuild".') },
    { name: 'settings', look: () => settings(condition) },
    { name: 'log', look: () => condition.logBytes > largeLogBytes ? warning(`Its log has ${megabytes(condition.logBytes)}.`, 'Something keeps it open for reading for long; restart the gateway, or end that process.') : ok(`Its log has ${megabytes(condition.logBytes)}.`) },
    { name: 'version', look: () => version(condition) },
    { name: 'usage', look: () => usage(condition) },
    { name: 'volume', look: () => belonging(fs, root, condition) },
    { name: 'clock', look: () => clock(condition, now) },
  ])
}

const isThere = (fs: FileSystem, file: string): Promise<boolean> => fs.stat(file).then(() => true, () => false)

async function absent (fs: FileSystem, root: string, file: string): Promise<Seen> {
  const isVolume = await identityAt(fs, root).then((identity) => identity !== undefined, (error: unknown) => {
    if (isDenied(error)) throw error
    return true
  })
  return isVolume ? problem(`There is no database at ${file}, though there is a volume.`, 'Set DATABASE_URL to where it is, or make it anew from the volume with "upload-gateway rebuild".') : unknown(`There is no database at ${file} yet: the gateway makes one at its first start.`)
}

function place (file: string, type: number, requireMount: boolean): Seen {
  try {
    refuseUnsafe(file, type, requireMount)
    return ok('Its file system keeps what SQLite commits.')
  } catch (error) {
    return problem(reasonOf(error), 'Do what the sentence says: the gateway does not start until then.')
  }
}

function settings ({ journalMode, refusedSetting }: Condition): Seen {
  if (refusedSetting !== undefined) return problem(refusedSetting, 'The gateway does not start like this. Reinstall it, so that it brings its own SQLite.')
  return journalMode === 'wal' ? ok('Set and read back: journal_mode=WAL, synchronous=FULL, foreign_keys=ON, secure_delete=ON.') : ok(`Its journal mode is ${journalMode}; the gateway sets WAL at its start.`)
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
