// Moves the records to another database, SQLite or PostgreSQL, with reads going on: all of them and the secrets, proved, or none. The files
// of users stay where they are.
import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import { ConfigError, databaseAddress, type Config, type DatabaseAddress } from '../config.ts'
import { nameOf } from '../records/address.ts'
import { openDatabase } from '../records/database.ts'
import { secretKeyPrefix } from '../records/secrets.ts'
import { openSource, openTarget } from '../records/transfer/open.ts'
import { copyRows, occupied, settingIn, type CopiedTable } from '../records/transfer/rows.ts'
import { CommitUnknown, NotTransferable, type Source, type Target } from '../records/transfer/side.ts'
import { databaseKey, volumeKey } from '../records/volume.ts'
import { secretNames, type SecretName } from '../secrets.ts'
import { homeName, type FileSystem } from '../storage/fs.ts'
import type { HomeConfig } from '../storage/home.ts'
import { identityAt } from '../storage/identity.ts'
import { openStorage } from '../storage/open.ts'
import { secretFiles } from '../storage/secret-files.ts'
import { copyRole } from '../storage/volume/instance.ts'
import { atHome } from './at-home.ts'
import type { Progress } from './progress.ts'
import { realPath } from './real-path.ts'
import { reasonOf } from './reason.ts'
import { Refusal } from './refusal.ts'
import { refuseForeignRoot } from './volume-user.ts'

export type DatabaseCopyReport = {
  /** For people: without passwords. */
  readonly from: string
  readonly to: string
  /** Read on both sides, and found to be the same. */
  readonly tables: readonly CopiedTable[]
  readonly rows: number
  /** The keys that the gateway made for itself, which went along. */
  readonly keys: readonly SecretName[]
  readonly seconds: number
}

export type DatabaseCopyConfig = HomeConfig & Pick<Config, 'requireMount' | 'diskReserveBytes'>

type Options = {
  /** As DATABASE_URL. */
  readonly from: string
  readonly to: string
  readonly progress: Progress
  readonly fs?: FileSystem
}

/** Safe to kill: what is not done is not there, and the same again begins anew. @throws Refusal, ConfigError */
export const copyDatabaseTo = (config: DatabaseCopyConfig, options: Options): Promise<DatabaseCopyReport> =>
  atHome(config, options.fs, (fs) => copyAt(fs, config, options))

async function copyAt (fs: FileSystem, config: DatabaseCopyConfig, { from, to, progress }: Options): Promise<DatabaseCopyReport> {
  const startedAt = performance.now()
  const { uploadsDir: root } = config
  const [source, target] = [addressIn(from, '--from', root), addressIn(to, '--to', root)]
  if (isSame(source, target)) throw new Refusal(`--from and --to name the same database: ${nameOf(source)}.`)
  await refuseForeignRoot(fs, root)
  const { volumeId, databaseId } = await refuseOtherVolume(fs, root, source)
  const claimant = { id: databaseId, name: nameOf(source), onlyReads: true }
  // Only on its volume is it seen who is at work with the source.
  const { staging, claim } = await openStorage({ fs, root, reserveBytes: config.diskReserveBytes, known: { volumeId, knowsFiles: true }, claimant, secondLedger: config.erasureLedger, role: copyRole, onWait: ([other]) => progress.say(`Watching for up to 90 seconds whether ${other?.work} of another host or container still runs on this volume.`) })
  try {
    const { tables, keys } = await copyAll({ source, target, volumeId, handOver: (copy) => claim.handOver(claimant, copy), requireMount: config.requireMount, progress })
    return { from: nameOf(source), to: nameOf(target), tables, rows: tables.reduce((sum, { rows }) => sum + rows, 0), keys, seconds: Math.round(performance.now() - startedAt) / 1000 }
  } finally {
    await staging.close()
  }
}

function addressIn (value: string, option: string, root: string): DatabaseAddress {
  if (!/^(file:.|postgres(ql)?:\/\/)/.test(value)) throw new Refusal(`${option} must be a database as DATABASE_URL names it: file:/path/to/gateway.sqlite or postgres://user:password@host:5432/name.`)
  return databaseAddress(value, root, option)
}

function isSame (one: DatabaseAddress, other: DatabaseAddress): boolean {
  if (one.kind === 'sqlite' && other.kind === 'sqlite') return realPath(one.file) === realPath(other.file)
  return one.kind === other.kind && nameOf(one) === nameOf(other)
}

async function refuseOtherVolume (fs: FileSystem, root: string, source: DatabaseAddress): Promise<{ volumeId: string, databaseId: string | undefined }> {
  const identity = await identityAt(fs, root).catch((error: unknown) => { throw new Refusal(`The identity of the volume at ${homeName(fs, root)} cannot be read: ${reasonOf(error)}.`, { cause: error }) })
  if (identity === undefined) throw new Refusal(`There is no uploads volume at ${homeName(fs, root)}. Run this with the settings of the gateway: only on the volume of the database it is seen whether one is at work.`)
  const { volumeId, databaseId } = await using(source, openSource, async (side) => ({ volumeId: await settingIn(side, volumeKey), databaseId: await settingIn(side, databaseKey) }))
  if (volumeId === undefined) throw new Refusal(`${nameOf(source)} belongs to no volume yet: there is nothing to copy.`)
  if (volumeId !== identity.volumeId) throw new Refusal(`${nameOf(source)} belongs to another volume: to ${volumeId}, while ${homeName(fs, root)} is ${identity.volumeId}. Run this with the settings of the gateway that uses it.`)
  return { volumeId, databaseId }
}

type Task = { readonly source: DatabaseAddress, readonly target: DatabaseAddress, readonly volumeId: string, /** To a copy with this id. */ readonly handOver: (copy: string) => Promise<void>, readonly requireMount: boolean, readonly progress: Progress }

async function copyAll ({ source, target, volumeId, handOver, requireMount, progress }: Task): Promise<{ tables: CopiedTable[], keys: SecretName[] }> {
  await (await openDatabase({ address: target, requireMount, connections: 1 })).close()
  return using(target, openTarget, async (to) => {
    await refuseOccupied(to, target, volumeId)
    return using(source, openSource, async (from) => {
      const secrets = await secretsIn(source, from)
      await refuseOtherSecrets(secrets, await secretsIn(target, to), target)
      progress.step('Copying and comparing rows')
      const tables = await copyRows({ source: from, target: to, onRows: (count) => progress.advance(count) })
      await keepSecrets(secrets, target, to)
      // A new one each time: an earlier copy knows less.
      const copy = randomUUID()
      await to.setSetting(databaseKey, copy)
      await handOver(copy)
      await to.commit()
      return { tables, keys: [...secrets.keys()] }
    })
  })
}

async function using<Side extends Source, T> (address: DatabaseAddress, open: (address: DatabaseAddress) => Promise<Side>, use: (side: Side) => Promise<T>): Promise<T> {
  try {
    const side = await open(address)
    try {
      return await use(side)
    } finally {
      await side.close()
    }
  } catch (error) {
    if (error instanceof Refusal || error instanceof ConfigError) throw error
    if (error instanceof CommitUnknown) throw new Refusal(error.message, { cause: error })
    if (error instanceof NotTransferable) throw new Refusal(`${nameOf(address)}: ${error.message} Nothing was copied.`, { cause: error })
    throw new Refusal(`The database cannot be copied: ${nameOf(address)}: ${reasonOf(error)}. Nothing was copied; mend that and run this again.`, { cause: error })
  }
}

async function refuseOccupied (side: Target, target: DatabaseAddress, volumeId: string): Promise<void> {
  const tables = await occupied(side)
  if (tables.length > 0) throw new Refusal(`${nameOf(target)} is not empty: it has rows in ${tables.join(', ')}. Name an empty database with --to, or move this one away first; nothing is ever overwritten.`)
  const known = await settingIn(side, volumeKey)
  if (known !== undefined && known !== volumeId) throw new Refusal(`${nameOf(target)} belongs to another volume: to ${known}. Name an empty database with --to.`)
}

type Known = ReadonlyMap<SecretName, string>

/** Beside a SQLite file; in PostgreSQL itself. */
async function secretsIn (address: DatabaseAddress, side: Source): Promise<Known> {
  const found = new Map<SecretName, string>()
  for (const name of secretNames) {
    const text = address.kind === 'sqlite' ? await secretFiles(dirname(address.file)).find(name) : await settingIn(side, secretKeyPrefix + name)
    if (text !== undefined) found.set(name, text)
  }
  return found
}

/** Sessions, links and receipts of the source would be of no use there. */
async function refuseOtherSecrets (secrets: Known, there: Known, target: DatabaseAddress): Promise<void> {
  const [name] = [...secrets].filter(([one, text]) => (there.get(one) ?? text) !== text).map(([one]) => one)
  if (name === undefined) return
  const place = target.kind === 'sqlite' ? `Beside ${target.file} there is` : `${nameOf(target)} has`
  throw new Refusal(`${place} another ${name} than the source has. Name an empty database in another place with --to, or remove that key: what it signed is of no use with this data.`)
}

/** Before the commit: files that are there without the rows are in nobody's way. */
async function keepSecrets (secrets: Known, target: DatabaseAddress, side: Target): Promise<void> {
  const keep = target.kind === 'sqlite' ? secretFiles(dirname(target.file)).keep : (name: string, text: string) => side.setSetting(secretKeyPrefix + name, text)
  for (const [name, text] of secrets) await keep(name, text)
}
