// upload-gateway restore: a backup back into an empty home, or for practice into a temporary place.
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { drill } from '../operations/restore/drill.ts'
import { restore, type RestoreReport } from '../operations/restore/restore.ts'
import { findingText, verificationText } from './findings.ts'
import { ledgersText } from './ledgers.ts'
import { helpWith, running } from './run.ts'
import { size } from './terminal.ts'

type Options = { snapshot?: string, into?: string, ledger?: string[], withoutLedger?: boolean, partial?: boolean, drill?: boolean, json?: boolean }

export function restoreCommand (program: Command): void {
  program.command('restore')
    .description('Bring a backup back into an empty volume, or with STORAGE_URL into an empty place of the object store: files, sidecars and database. Whoever was erased since is erased again, and all is checked before it says done. Stop the gateway first. When it is interrupted, run it again: it goes on.')
    .argument('<dir>', 'the backup folder; a tar is unpacked into one first')
    .option('--snapshot <name>', 'this snapshot, instead of the newest')
    .option('--into <folder>', 'another folder than UPLOADS_DIR, with the database in it')
    .option('--ledger <file...>', 'further ledgers of erasures, besides the volume\'s, ERASURE_LEDGER and the backup\'s own')
    .option('--without-ledger', 'though no ledger says who was erased')
    .option('--partial', 'though files of the backup are missing or damaged: restore all others')
    .option('--drill', 'for practice: into a folder of its own, below --into if given, checked and thrown away; what a killed one left there goes with the next. A running gateway is no hindrance')
    .option('--json', 'print JSON')
    .addHelpText('after', helpWith('upload-gateway restore /backups/uploads\nupload-gateway restore --drill /backups/uploads'))
    .action(running(async ({ config, progress }, options: Options, dir: string) => {
      const { snapshot, into, ledger = [], withoutLedger = false, partial = false } = options
      const wanted = { ledgers: ledger.map((file) => resolve(file)), withoutLedger, isPartial: partial, progress, ...(snapshot !== undefined && { snapshot }), ...(into !== undefined && { into: resolve(into) }) }
      const report = await (options.drill === true ? drill : restore)(config, resolve(dir), wanted)
      return { report, text: restoreText(report, { dir: resolve(dir), isDrill: options.drill === true }), hasFindings: report.damaged.length + report.verification.findings.length > 0 }
    }, ({ drill: isDrill = false, into }) => !isDrill && into === undefined))
}

const unknownErasures = {
  restored: 'Whoever was erased after this backup was made is back: its own ledger does not know of it. Name a newer one with --ledger, or erase them again.',
  inDrill: 'No ledger of erasures is known to be newer than the backup: a restore without one brings back whoever was erased after the backup was made.',
}

/** Most often that is so; a ledger that was lost and begun anew looks the same. */
const noErasures = (erasures: number): string[] => erasures > 0 ? [] : ['No ledger knows of any erasure: right if nobody was ever erased here.']

/** `dir`: the backup folder. */
export function restoreText (report: RestoreReport, { dir, isDrill }: { dir: string, isDrill: boolean }): string {
  const { damaged, moreDamaged, verification, erasures, erasedFiles, ledgers, keys, secondsPerGigabyte } = report
  return [
    ...damaged.map((finding) => `${findingText(finding, finding.mend)}\n`),
    ...moreDamaged > 0 ? [`and ${moreDamaged} more.\n`] : [],
    verificationText(verification),
    `${isDrill ? 'Restored for practice, and thrown away' : `Restored to ${report.root}`}: the snapshot of ${report.createdAt}, ${report.files.toLocaleString('en')} files, ${size(report.bytes)}, in ${report.seconds.toFixed(1)} s${secondsPerGigabyte === null ? '' : ` (${secondsPerGigabyte.toFixed(1)} s per GB)`}.`,
    `${erasures} erasures in ${ledgersText(ledgers, dir)}; ${erasedFiles} files of erased users are gone again.`,
    ...keys.length > 0 ? [`Restored the keys ${keys.join(', ')}.`] : [],
    ...report.ledgerDoubts,
    ...report.isLedgerCurrent ? noErasures(erasures) : [isDrill ? unknownErasures.inDrill : unknownErasures.restored],
    ...isDrill ? [] : ['The gateway can be started.'],
  ].join('\n')
}
