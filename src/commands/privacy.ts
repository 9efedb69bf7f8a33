// upload-gateway privacy sweep: takes what is personal out of pictures that are kept already. A dry run, unless --run says otherwise.
import { Option, type Command } from 'commander'
import { asUserId } from '../callers/caller.ts'
import { ConfigError } from '../config.ts'
import { privacySweep, privacySweepWork, type PrivacyReport } from '../operations/privacy-sweep.ts'
import { atWork } from '../operations/workplace.ts'
import type { Kind } from '../storage/store.ts'
import { helpWith, running } from './run.ts'
import { plain, size, table } from './terminal.ts'

type Options = { run?: boolean, owner?: string, kind?: Kind, services?: boolean, json?: boolean }

/** More than a screen of them; --json has all. */
const shownPictures = 50

export function privacyCommand (program: Command): void {
  const privacy = program.command('privacy').description('What pictures tell of persons and places.')
    .addHelpText('after', helpWith('upload-gateway privacy sweep\nupload-gateway privacy sweep --run'))
  privacy.command('sweep')
    .description('Take location, camera, names and other personal metadata out of the pictures that nobody has looked into yet, such as those that were imported; also out of those in the trash. No pixel changes, ids of attachments and all addresses stay. The files with it are removed for good.')
    .option('--run', 'do it; without it this is a dry run, which writes nothing and says what would happen')
    .option('--owner <id>', 'only pictures of this user')
    .addOption(new Option('--kind <kind>', 'only avatars, or only attachments').choices(['avatar', 'attachment']))
    .option('--services', 'also what services attached for users')
    .option('--json', 'print JSON; of what was left at most 10,000 pictures')
    .addHelpText('after', whatStays)
    .addHelpText('after', helpWith('upload-gateway privacy sweep --owner ada\nupload-gateway privacy sweep --run'))
    .action(running(async ({ config, progress }, { run: isRun = false, owner, kind, services: withServices = false }: Options) => {
      const ownerId = asUserId(owner)
      if (owner !== undefined && ownerId === undefined) throw new ConfigError('--owner must be 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me".')
      const report = await atWork(config, { work: privacySweepWork, onlyReads: !isRun, progress }, (workplace) => privacySweep(workplace, config, { isRun, kind, ownerId, withServices, progress }))
      return { report, text: textOf(report), hasFindings: report.left.length > 0 }
    }, ({ run: isRun = false }) => isRun))
}

const whatStays = `
Left alone are pictures whose uploaders asked for that (metadata=keep), and with AVATAR_METADATA=keep or ATTACHMENT_METADATA=keep all of that kind.
It may run beside the gateway, and be killed and run again. While a backup is under way it waits.
Backups that were made before hold the old files still, with all that was in them, until their snapshots are removed ("backup --keep").`

function textOf ({ isDryRun, lookedAt, clean, stripped, removed, left, moreLeft, kept, finished }: PrivacyReport): string {
  const count = left.length + moreLeft
  const found = Object.entries(removed).map(([name, files]) => `${name} (${files})`)
  const rows: Array<Array<string | number>> = [
    ['looked at', lookedAt.files, size(lookedAt.bytes)],
    ['nothing personal in them', clean.files, size(clean.bytes)],
    [isDryRun ? 'to take it out of' : 'taken out of', stripped.files, `${size(stripped.bytes)} to ${size(stripped.bytesAfter)}`],
    ['left as they are', count, ''],
  ]
  return [
    table(['Pictures', 'files', 'bytes'], rows),
    ...(found.length > 0 ? [`What is in them: ${found.join(', ')}.`] : []),
    ...(finished > 0 ? [`${finished} that an earlier run had begun with ${finished === 1 ? 'is' : 'are'} done now too.`] : []),
    ...keptText(kept).map((text) => `Not looked at: ${text}.`),
    ...left.slice(0, shownPictures).map(({ id, kind, ownerId, reason }) => `${id}  ${kind} of ${plain(ownerId ?? '')}: ${plain(reason)}.`),
    ...(count > shownPictures ? [`and ${count - shownPictures} more; --json has ${moreLeft > 0 ? 'most' : 'all'} of them.`] : []),
    isDryRun ? 'This was a dry run: nothing was written. Add --run to do it.' : `Done.${stripped.files + finished > 0 ? ' Backups made before hold the old files still.' : ''}`,
  ].join('\n')
}

const settings: Readonly<Record<Kind, string>> = { avatar: 'avatars, as AVATAR_METADATA=keep says', attachment: 'attachments, as ATTACHMENT_METADATA=keep says' }

function keptText ({ asked, services, kinds }: PrivacyReport['kept']): string[] {
  return [
    ...(asked > 0 ? [`${asked} uploaded with metadata=keep`] : []),
    ...(services > 0 ? [`${services} that services attached; --services takes them in`] : []),
    ...kinds.map((kind) => settings[kind]),
  ]
}
