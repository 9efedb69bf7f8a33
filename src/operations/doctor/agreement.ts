// What must agree with the database, whichever it is: this version of the gateway, its own counting, the volume, and the clock.
import type { Agreement } from '../../records/condition.ts'
import { claimRemedy, strangerAt } from '../../storage/claim.ts'
import { homeName, homeRemedy, type FileSystem } from '../../storage/fs.ts'
import { identityAt } from '../../storage/identity.ts'
import { ok, problem, unknown, warning, type Seen } from './check.ts'

/** Clocks of machines that agree differ by less. */
const aheadMs = 60_000

export function version ({ pending, unknown: newer, required }: Pick<Agreement, 'pending' | 'unknown' | 'required'>): Seen {
  if (required !== undefined && newer.includes(required)) return problem(`A newer version of the gateway made it what this one cannot use: it has ${required}.`, 'Start that version, or a later one.')
  if (pending.length > 0) return warning(`The next start of this version changes it: ${pending.join(', ')}.`, 'Make a backup first, with "upload-gateway backup".')
  return newer.length > 0 ? warning(`A newer version of the gateway has added to it, which this one gets along with: ${newer.join(', ')}.`, 'Start that version, or a later one, when all of them are to be changed.') : ok('It is as this version of the gateway needs it.')
}

export function usage ({ miscounted }: Pick<Agreement, 'miscounted'>): Seen {
  if (miscounted === 0) return ok('What it says that users have is what their records say.')
  return problem(`Of ${miscounted} users it says another usage than their records do: quotas do not hold for them.`, 'Somebody changed it by hand. Stop the gateway and make it anew from the volume with "upload-gateway rebuild".')
}

export async function belonging (fs: FileSystem, root: string, { volumeId, databaseId }: Pick<Agreement, 'volumeId' | 'databaseId'>): Promise<Seen> {
  const identity = await identityAt(fs, root)
  if (identity === undefined && volumeId !== undefined) return problem(`It belongs to the volume ${volumeId}, which is not at ${homeName(fs, root)}.`, `${homeRemedy(fs, 'that volume')}.`)
  if (identity !== undefined && volumeId !== undefined && identity.volumeId !== volumeId) return problem(`It belongs to another volume: to ${volumeId}, while ${homeName(fs, root)} is ${identity.volumeId}.`, `${homeRemedy(fs, 'that one')}, or set DATABASE_URL to the database of this one.`)
  for (const home of [{ fs: fs.move?.own ?? fs, root }, ...fs.move === undefined ? [] : [{ fs: fs.move.other, root: fs.move.root }]]) {
    const stranger = await strangerAt(home.fs, home.root, databaseId)
    if (stranger !== undefined) return problem(stranger, claimRemedy(home.fs))
  }
  if (volumeId === undefined) return warning('It belongs to no volume yet.', 'With uploads on the volume, make it anew with "upload-gateway rebuild"; without any, just start the gateway.')
  return ok('It belongs to this volume.')
}

export function clock ({ newestAt }: Pick<Agreement, 'newestAt'>, now: () => Date): Seen {
  if (newestAt === undefined) return unknown('There is no record yet to compare the clock with.')
  const ahead = new Date(newestAt).getTime() - now().getTime()
  if (ahead > aheadMs) return problem(`The newest upload was made ${Math.round(ahead / 1000)} s in the future: the clock of this machine is wrong now, or was then.`, 'Set the clock, with NTP. Until then trash is kept too long, or not long enough.')
  return ok(`The clock of this machine is later than the newest upload, which is of ${newestAt}.`)
}
