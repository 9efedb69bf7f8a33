// upload-gateway verify: whether every record has its file and every file its record, of the volume or of a backup.
import { resolve } from 'node:path'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { verifyBackup } from '../operations/backup/verify.ts'
import { requireBackup } from '../operations/backup/folder.ts'
import type { Verification } from '../operations/finding.ts'
import { readAtLeast } from '../operations/sample.ts'
import { verifyVolume } from '../operations/verify.ts'
import { atWork } from '../operations/workplace.ts'
import { nameOf } from '../records/address.ts'
import { fileSystem, homePlace } from '../storage/fs.ts'
import { verificationText } from './findings.ts'
import { helpWith, running } from './run.ts'

type Options = { sample?: number, snapshot?: string, json?: boolean }

/** What was looked at, by name. Of a backup, whoever asked has named it. */
type Places = { readonly home: string, readonly database: string }

export function verifyCommand (program: Command): void {
  program.command('verify')
    .description('Check every record, file and sidecar, and say what is wrong with which file. Changes nothing; a running gateway is no hindrance.')
    .argument('[dir]', 'a backup folder; without it, the uploads volume')
    .addOption(new Option('--full', 'read and hash every file (the default)').conflicts('sample'))
    .option('--sample <share>', `read and hash only such a share of the files, as 5%, but about ${readAtLeast} at least; of the others compare the size`, share)
    .option('--snapshot <name>', 'of the backup: this snapshot alone, instead of all')
    .option('--json', 'print JSON')
    .addHelpText('after', helpWith('upload-gateway verify\nupload-gateway verify --sample 5%\nupload-gateway verify /backups/uploads'))
    .hook('preAction', (command) => {
      if (command.args.length === 0 && command.opts<Options>().snapshot !== undefined) command.error('error: --snapshot is for backups: name the backup folder too.')
    })
    .action(running(async ({ config, progress }, { sample, snapshot }: Options, dir: string | undefined) => {
      const part = sample ?? 1
      const verification: Verification & Partial<Places> = dir === undefined
        ? await atWork(config, { work: 'verify', onlyReads: true, progress }, async (workplace) => ({
          ...await verifyVolume(workplace, { sample: part, progress }), home: homePlace(workplace.fs, workplace.root), database: nameOf(config.database),
        }))
        : await verifyBackup(await backupFolder(dir), { sample: part, progress, ...(snapshot !== undefined && { snapshot }) })
      return { report: verification, text: `${verificationText(verification)}${placesText(verification)}`, hasFindings: verification.findings.length > 0 }
    }))
}

const placesText = ({ home, database }: Partial<Places>): string => home === undefined ? '' : `\nHome: ${home}; database: ${database}.`

async function backupFolder (dir: string): Promise<string> {
  await requireBackup(fileSystem, resolve(dir))
  return dir
}

/** Of 1. */
export function share (text: string): number {
  const [, percent] = /^(\d{1,3}(?:\.\d+)?)\s*%$/.exec(text) ?? []
  const value = Number(percent)
  if (!(value > 0 && value <= 100)) throw new InvalidArgumentError('It must be a percentage above 0% and up to 100%, such as 5%.')
  return value / 100
}
