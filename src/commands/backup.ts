// upload-gateway backup: volume and database into a folder or a stream, and folders without erased owners.
import process from 'node:process'
import { InvalidArgumentError, type Command } from 'commander'
import { backup, type BackupReport } from '../operations/backup/backup.ts'
import { pruneErased, type PruneReport } from '../operations/backup/prune.ts'
import { Refusal } from '../operations/refusal.ts'
import { findingText } from './findings.ts'
import { ledgersText } from './ledgers.ts'
import { helpWith, running } from './run.ts'
import { size } from './terminal.ts'

type Options = { keep?: number, withKeys?: boolean, json?: boolean }

type PruneOptions = { erased?: boolean, ledger?: string[], json?: boolean }

export function backupCommand (program: Command): void {
  const command = program.command('backup')
    .hook('preAction', refuseOptions)
    .description('Back up all uploads and the database, as they are at one moment, while the gateway goes on. Into the same folder again, only what is new is copied.')
    .argument('<dir>', 'the backup folder, on another disk; or - for a tar on standard output')
    .option('--keep <count>', 'keep so many snapshots in the folder, and remove older ones once this one is whole', wholeNumber)
    .option('--with-keys', 'with the keys that the gateway made for itself: who has them can make tokens')
    .option('--json', 'print JSON')
    .addHelpText('after', helpWith('upload-gateway backup /backups/uploads --keep 14\nupload-gateway backup - | ssh backup-host "cat > uploads.tar"'))
    .action(running(async ({ config, progress }, { keep, withKeys = false, json = false }: Options, dir: string) => {
      if (dir !== '-') {
        const report = await backup(config, { to: { dir }, withKeys, progress, ...(keep !== undefined && { keep }) })
        return { report, text: backupText(report), hasFindings: hasFindings(report) }
      }
      if (process.stdout.isTTY) throw new Refusal('A tar is nothing for a terminal. Send it somewhere: upload-gateway backup - > uploads.tar')
      const report = await backup(config, { to: { output: process.stdout }, withKeys, progress })
      // Standard output is the tar.
      progress.say(json ? JSON.stringify(report, null, 1) : backupText(report))
      if (hasFindings(report)) process.exitCode = 3
      return undefined
    }))

  command.command('prune')
    .configureHelp({ showGlobalOptions: false })
    .description('Take out of a backup folder, and of each snapshot in it, what erased users uploaded.')
    .argument('<dir>', 'the backup folder')
    .requiredOption('--erased', 'all that a ledger of erasures says is erased')
    .option('--ledger <file...>', 'further ledgers of erasures, besides the volume\'s, ERASURE_LEDGER and the backup\'s own')
    .option('--json', 'print JSON')
    .addHelpText('after', helpWith('upload-gateway backup prune --erased /backups/uploads'))
    .action(running(async ({ config, progress }, { ledger = [] }: PruneOptions, dir: string) => {
      const report = await pruneErased(config, dir, { ledgers: ledger, progress })
      return { report, text: pruneText(report, dir), hasFindings: report.findings.length > 0 || report.removedFiles === null }
    }))
}

/** Commander takes the options of a backup for its subcommand too, where they would say nothing. */
function refuseOptions (command: Command, called: Command): void {
  const known = new Set(called.options.map(({ long }) => long))
  const strange = command.options.find((option) => command.getOptionValueSource(option.attributeName()) !== undefined && !known.has(option.long))
  if (strange !== undefined) command.error(`error: ${strange.long} is for making a backup, and no option of "backup ${called.name()}".`)
  if (called.args[0] === '-' && called.opts<Options>().keep !== undefined) command.error('error: --keep is for a backup folder: a tar holds one snapshot.')
}

/** For options that take a count. */
export function wholeNumber (text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, at least 1.')
  return Number(text)
}

const hasFindings = ({ findings, removedFiles }: BackupReport): boolean => findings.length > 0 || removedFiles === null

const files = (count: number): string => count === 1 ? '1 file' : `${count.toLocaleString('en')} files`

export function backupText (report: BackupReport): string {
  const { snapshot, goneFiles, erasedFiles, erasedFilesLeft, rereadFiles, mendedFiles, removedSnapshots, removedFiles, findings, moreFindings, seconds } = report
  return [
    ...findings.map((finding) => `${findingText(finding, finding.mend)}\n`),
    ...moreFindings > 0 ? [`and ${moreFindings} more.\n`] : [],
    `Snapshot ${snapshot}: ${files(report.files)}, ${size(report.bytes)}; copied ${files(report.copiedFiles)}, ${size(report.copiedBytes)}, in ${seconds.toFixed(1)} s.`,
    ...goneFiles + erasedFiles > 0 ? [`Not in it, because removed for good meanwhile: ${files(goneFiles)}; because erased: ${files(erasedFiles)}.`] : [],
    ...erasedFilesLeft > 0 ? [`Of those that were erased, ${files(erasedFilesLeft)} had been copied before. No snapshot names ${erasedFilesLeft === 1 ? 'it' : 'them'}, but the bytes are in this backup: "upload-gateway backup prune --erased FOLDER" removes them; unpack a tar into a folder first.`] : [],
    ...rereadFiles > 0 ? [`Of the files that were there, ${files(rereadFiles)} read again: ${mendedFiles === 0 ? 'all whole' : `${mendedFiles} damaged, and copied anew`}.`] : [],
    ...removedSnapshots.length > 0 ? [`Removed the older snapshots ${removedSnapshots.join(', ')}.`] : [],
    ...removedFiles !== null && removedFiles > 0 ? [`Removed ${files(removedFiles)} that no snapshot names.`] : [],
    ...findings.length > 0 ? ['What is listed above is not in this backup; everything else is.'] : [],
  ].join('\n')
}

/** `dir`: the backup folder. */
export function pruneText ({ snapshots, prunedSnapshots, erasedUploads, erasedAccounts, erasedMentions, removedFiles, erasures, ledgers, findings }: PruneReport, dir: string): string {
  return [
    ...findings.map((finding) => `${findingText(finding, finding.mend)}\n`),
    `${erasures} erasures in ${ledgersText(ledgers, dir)}.`,
    `Of ${snapshots} snapshots ${prunedSnapshots.length} held something of erased users: ${erasedUploads} uploads, ${erasedAccounts} accounts and ${erasedMentions} other mentions are gone from them, and ${files(removedFiles ?? 0)} from the folder.`,
  ].join('\n')
}
