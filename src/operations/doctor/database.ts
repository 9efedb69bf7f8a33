// The embedded database: where it lies, whether it is sound, set as the gateway needs it, and of this volume. And the clock, as its records know it.
import { dirname } from 'node:path'
import type { Config } from '../../config.ts'
import { conditionOf, type Condition } from '../../records/condition.ts'
import { refuseUnsafe } from '../../records/database.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { identityAt } from '../../storage/identity.ts'
import { asGatewayUser, denialAt, isDenied } from '../access.ts'
import { checking, ok, problem, reasonOf, unknown, warning, type Check, type Seen } from './check.ts'

type Options = { config: Pick<Config, 'databaseFile' | 'uploadsDir' | 'requireMount'>, fs: FileSystem, now: () => Date }

/** A checkpoint keeps it far below that. */
const largeLogBytes = 256 * 1024 ** 2

/** Clocks of machines that agree differ by less. */
const aheadMs = 60_000

export async function checkDatabase ({ config, fs, now }: Options): Promise<Check[]> {
  const { databaseFile: file, uploadsDir: root, requireMount } = config
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
    { name: 'usage', look: () => condition.miscounted === 0 ? ok('What it says that users have is what their records say.') : problem(`Of ${condition.miscounted} users it says another usage than their records do: quotas do not hold for them.`, 'Somebody changed it by hand. Stop the gateway and make it anew from the volume with "upload-gateway rebuild".') },
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

function version ({ pending, unknown: newer }: Condition): Seen {
  if (newer.length > 0) return problem(`A newer version of the gateway made it: it has ${newer.join(', ')}.`, 'Start that version, or a later one.')
  return pending.length > 0 ? warning(`The next start of this version changes it: ${pending.join(', ')}.`, 'Make a backup first, with "upload-gateway backup".') : ok('It is as this version of the gateway needs it.')
}

async function belonging (fs: FileSystem, root: string, { volumeId }: Condition): Promise<Seen> {
  const identity = await identityAt(fs, root)
  if (volumeId === undefined) return warning('It belongs to no volume yet.', 'With uploads on the volume, make it anew with "upload-gateway rebuild"; without any, just start the gateway.')
  if (identity === undefined) return problem(`It belongs to the volume ${volumeId}, which is not at ${root}.`, 'Mount that volume there.')
  return identity.volumeId === volumeId ? ok('It belongs to this volume.') : problem(`It belongs to another volume: to ${volumeId}, while ${root} is ${identity.volumeId}.`, 'Mount that one, or set DATABASE_URL to the database of this one.')
}

function clock ({ newestAt }: Condition, now: () => Date): Seen {
  if (newestAt === undefined) return unknown('There is no record yet to compare the clock with.')
  const ahead = new Date(newestAt).getTime() - now().getTime()
  if (ahead > aheadMs) return problem(`The newest upload was made ${Math.round(ahead / 1000)} s in the future: the clock of this machine is wrong now, or was then.`, 'Set the clock, with NTP. Until then trash is kept too long, or not long enough.')
  return ok(`The clock of this machine is later than the newest upload, which is of ${newestAt}.`)
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
