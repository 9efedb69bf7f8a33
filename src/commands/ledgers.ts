// The ledgers of erasures that were read, for people: a backup has one in each of its snapshots, which are only counted.
import { join, sep } from 'node:path'

/** `dir`: the backup folder. */
export function ledgersText (paths: readonly string[], dir: string): string {
  const own = join(dir, 'snapshots') + sep
  const others = paths.filter((path) => !path.startsWith(own))
  const count = paths.length - others.length
  const named = [others.join(', '), ...count === 0 ? [] : [`${count} ledger${count === 1 ? '' : 's'} of the backup`]]
  return named.filter((part) => part !== '').join(' and ') || 'no ledger'
}
