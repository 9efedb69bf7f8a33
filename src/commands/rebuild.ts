// upload-gateway rebuild: the database anew, from the volume alone.
import type { Command } from 'commander'
import { rebuild, type Rebuilt } from '../operations/rebuild/rebuild.ts'
import { findingText } from './findings.ts'
import { helpWith, running } from './run.ts'
import { plain, table } from './terminal.ts'

/** In the text for people; --json has all. */
const mostFindings = 100

export function rebuildCommand (program: Command): void {
  program.command('rebuild')
    .description('Make the database anew from the uploads volume, when it is lost or damaged: every record, owner, name and old URL. Stop the gateway first. Embedded accounts are in no sidecar: they come over from the old database, where it can still be read. Where it is lost, put database.sqlite of the newest snapshot of a backup in its place first, with no -wal and -shm file of the lost one beside it: accounts come from there then, and everything else from the volume.')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', helpWith('upload-gateway rebuild\ncp /backups/uploads/snapshots/20261121T030000.000Z/database.sqlite /uploads/database/gateway.sqlite && upload-gateway rebuild'))
    .action(running(async ({ config, progress }) => {
      const report = await rebuild(config, progress)
      const { findings, formerDatabase, accounts: { isOldThere, failure } } = report
      return { report, text: rebuildText(report, config.hasAccounts), hasFindings: findings.length > 0 || failure !== null || formerDatabase !== null || (config.hasAccounts && !isOldThere) }
    }, () => true))
}

export function rebuildText (report: Rebuilt, hasAccounts: boolean): string {
  const { totals, findings } = report
  const listed = findings.slice(0, mostFindings).map((finding) => findingText(finding, finding.mend))
  return [
    table(['uploads', 'state', 'count'], totals.blobs.map(({ kind, state, count }) => [kind, state, count])),
    ...factsOf(report, hasAccounts).map((fact) => `${plain(fact)}.`),
    ...(findings.length === 0 ? [] : ['', `${findings.length.toLocaleString('en')} could not be brought back, or not as they were:`, ...listed]),
    ...(findings.length > mostFindings ? [`… and ${(findings.length - mostFindings).toLocaleString('en')} more: --json lists all.`] : []),
  ].join('\n')
}

function factsOf ({ database, databaseKind, totals, tombstones, erasures, erased, leftovers, foreign, superseded, accounts, oldDatabase, formerDatabase, ms }: Rebuilt, hasAccounts: boolean): string[] {
  return [
    `${database} is made anew, in ${(ms / 1000).toFixed(1)} s`,
    `${counted(totals.currentAvatars, 'user')} with a current avatar, ${counted(totals.oldUrls, 'old URL')}, ${counted(erasures, 'erasure')}, ${counted(tombstones, 'tombstone')}`,
    ...(superseded === 0 ? [] : [`${counted(superseded, 'avatar')} had been replaced or removed, though the sidecar did not say so yet`]),
    ...(erased === 0 ? [] : [`${counted(erased, 'upload')} of erased owners left out; the gateway removes the files at its start`]),
    ...(leftovers === 0 ? [] : [`${counted(leftovers, 'file')} that interrupted imports left, not brought back; the sweep removes ${leftovers === 1 ? 'it' : 'them'}`]),
    ...(foreign === 0 ? [] : [`${counted(foreign, 'entry', 'entries')} on the volume not of the gateway's making; "upload-gateway verify" lists them`]),
    ...hasAccounts || accounts.count > 0 || accounts.failure !== null ? accountFacts(accounts, { database, databaseKind }) : [],
    ...(formerDatabase === null ? [] : [`The home belonged to another database, ${formerDatabase}: what only that one knew, as embedded accounts and links, is not in this one. Where it still is, go back before a gateway starts on this one: remove database.json from the home, and set DATABASE_URL to it`]),
    ...(oldDatabase === null ? [] : [`The old database is kept as ${oldDatabase}; remove it when it is not needed any more`]),
  ]
}

/** The copy from a backup is of no use to accounts that were brought over: it would replace them. */
function accountFacts ({ count, isOldThere, failure }: Rebuilt['accounts'], { database, databaseKind }: Pick<Rebuilt, 'database' | 'databaseKind'>): string[] {
  const brought = `${counted(count, 'embedded account')} brought over from the old database`
  const without = 'their users have to register again, which gives them new ids and none of their uploads'
  if (count > 0) return [failure === null ? brought : `${brought}; the others could not be read (${failure}), and ${without}`]
  return [
    failure !== null ? `${brought}; the others could not be read (${failure})` : isOldThere ? 'The old database had no embedded accounts' : 'There was no old database to bring embedded accounts over from, and no sidecar has them: they are lost',
    `If there were any: before the gateway starts again, ${databaseKind === 'sqlite' ? `put a database of this volume that has them at ${database}, such as snapshots/NEWEST/database.sqlite of a backup` : 'copy a database of this volume that has them into an empty PostgreSQL database with "upload-gateway database copy --from file:...", such as snapshots/NEWEST/database.sqlite of a backup, set DATABASE_URL to that'}, and run this again. Otherwise ${without}`,
  ]
}

const counted = (count: number, one: string, many = `${one}s`): string => `${count.toLocaleString('en')} ${count === 1 ? one : many}`
