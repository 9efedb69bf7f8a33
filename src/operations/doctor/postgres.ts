// The PostgreSQL database: whether it answers and keeps what it commits, has room for connections, is as this version needs it, and of this volume. And its clock.
import type { Config } from '../../config.ts'
import { nameOf } from '../../records/address.ts'
import type { PostgresCondition } from '../../records/postgres/condition.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { isThere } from '../workplace.ts'
import { belonging, clock, usage, version } from './agreement.ts'
import { checking, ok, problem, reasonOf, unknown, warning, type Check, type Seen } from './check.ts'

export type PostgresSettings = Pick<Config, 'database' | 'databaseFile' | 'databaseConnections' | 'uploadsDir'>

type Options = { config: PostgresSettings, fs: FileSystem, now: () => Date, look: () => Promise<PostgresCondition> }

/** What two machines with NTP differ by is far less. */
const apartMs = 2000

/** `look`: asks the server. */
export async function checkPostgres ({ config, fs, now, look }: Options): Promise<Check[]> {
  const { database, databaseFile, databaseConnections, uploadsDir: root } = config
  const name = nameOf(database)
  const condition = await look().catch(reasonOf)
  if (typeof condition === 'string') return checking('database', [{ name: 'server', look: () => problem(condition, 'The gateway does not start until that is mended, and answers 503 where it runs.') }])
  const { version: number, bytes, isMade } = condition
  const known = { name: 'server', look: () => ok(`${name}: version ${number}, ${(bytes / 1e6).toFixed(1)} MB.`) }
  const always = [
    { name: 'durability', look: () => durability(condition) },
    { name: 'connections', look: () => connections(condition, databaseConnections) },
    { name: 'server clock', look: () => serverClock(condition) },
    { name: 'old database', look: async () => await isThere(fs, databaseFile) ? warning(`There is an embedded database at ${databaseFile}, which the gateway does not use any more: nobody who is erased is erased there.`, 'Remove it when the move to PostgreSQL is done for good.') : ok('No embedded database is left at its usual place.') },
  ]
  if (!isMade) return checking('database', [known, { name: 'tables', look: () => unknown('It holds no tables of the gateway yet: the gateway makes them at its first start, "rebuild" from a volume, and "restore" from a backup.') }, ...always])
  return checking('database', [
    known, ...always,
    { name: 'version', look: () => version(condition) },
    { name: 'usage', look: () => usage(condition) },
    { name: 'volume', look: () => belonging(fs, root, condition) },
    { name: 'clock', look: () => clock(condition, now) },
  ])
}

function durability ({ off }: PostgresCondition): Seen {
  if (off.length === 0) return ok('It is set to keep what it commits: synchronous_commit, fsync and full_page_writes are on.')
  return problem(`${off.join(' and ')} ${off.length === 1 ? 'is' : 'are'} off there: after a power cut the whole database may be lost.`, `Set ${off.join(' and ')} to on in postgresql.conf, and let the server reload it.`)
}

function connections ({ connectionsLeft, maxConnections }: PostgresCondition, wanted: number): Seen {
  const said = `${connectionsLeft} of ${maxConnections} connections are free; each gateway opens up to ${wanted + 1}.`
  return connectionsLeft > wanted ? ok(said) : warning(said, 'Raise max_connections of the server, or lower DATABASE_CONNECTIONS.')
}

function serverClock ({ clockMs }: PostgresCondition): Seen {
  if (Math.abs(clockMs) <= apartMs) return ok('The clock of the server is that of this machine.')
  return warning(`The clock of the server is ${Math.round(Math.abs(clockMs) / 1000)} s ${clockMs > 0 ? 'ahead of' : 'behind'} that of this machine.`, 'Set the clocks of both with NTP.')
}
