// upload-gateway trash: what is deleted or replaced and can still come back; back from it, and for good.
import process from 'node:process'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { purgeTrash, type PurgeReport, type PurgeSelection } from '../operations/purge-trash.ts'
import { Refusal } from '../operations/refusal.ts'
import { listTrash, restoreTrash, type LeftAlone, type RestoreReport, type TrashItem, type TrashList } from '../operations/trash.ts'
import { atWork } from '../operations/workplace.ts'
import type { Kind } from '../storage/store.ts'
import { createAsk } from './ask.ts'
import { helpWith, running } from './run.ts'
import { plain, size, table } from './terminal.ts'
import { seconds } from './token.ts'

export function trashCommand (program: Command): void {
  const trash = program.command('trash').description('Deleted and replaced files: list them, bring them back, or remove them for good before their time.')
    .addHelpText('after', helpWith('upload-gateway trash list --owner ada\nupload-gateway trash restore 019aa1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b'))
  listCommand(trash)
  restoreCommand(trash)
  purgeCommand(trash)
}

type ListOptions = { owner?: string, kind?: Kind, limit: number, json?: boolean }

function listCommand (trash: Command): void {
  trash.command('list')
    .description('List what is in the trash, the latest first.')
    .option('--owner <id>', 'only of this user')
    .addOption(new Option('--kind <kind>', 'only avatars, or only attachments').choices(['avatar', 'attachment']))
    .addOption(new Option('--limit <count>', 'how many').argParser(wholeNumber).default(50))
    .option('--json', 'print JSON')
    .addHelpText('after', helpWith('upload-gateway trash list --owner ada'))
    .action(running(async ({ config, progress }, { owner, kind, limit }: ListOptions) => {
      const report = await atWork(config, { work: 'trash list', onlyReads: true, progress }, (workplace) => listTrash(workplace, { filter: { ownerId: owner, kind }, limit, retentionMs: config.trashRetentionMs }))
      return { report, text: listText(report, { ownerId: owner, retentionMs: config.trashRetentionMs }) }
    }))
}

function restoreCommand (trash: Command): void {
  trash.command('restore')
    .description('Bring files back from the trash. An attachment comes back under its id and URL. A picture becomes its user\'s picture again when they have none now; else it comes back as an earlier one, and theirs stays; one that is an earlier one already is left alone.')
    .argument('<id...>', 'of the blob, or of the attachment')
    .option('--current', 'make a picture its user\'s current one also when they have another now, which becomes an earlier one')
    .option('--json', 'print JSON')
    .addHelpText('after', helpWith('upload-gateway trash restore 019aa1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b'))
    .action(running(async ({ config, progress }, { current = false }: { current?: boolean, json?: boolean }, ids: string[]) => {
      const report = await atWork(config, { work: 'trash restore', progress }, (workplace) => restoreTrash(workplace, ids, { isCurrent: current, retentionMs: config.trashRetentionMs, progress }))
      return { report, text: restoreText(report), hasFindings: report.left.length > 0 }
    }, () => true))
}

type PurgeOptions = { owner?: string, olderThan?: number, all?: boolean, yes?: boolean, json?: boolean }

function purgeCommand (trash: Command): void {
  trash.command('purge')
    .description('Remove files in the trash for good, before their time. Only what record and sidecar both call deleted or replaced ever goes, also when it is named.')
    .argument('[id...]', 'of the blob, or of the attachment')
    .option('--owner <id>', 'all of this user\'s trash')
    .addOption(new Option('--older-than <duration>', 'what is in the trash for longer: 12h, 7d').argParser(seconds))
    .option('--all', 'all that is in the trash')
    .option('--yes', 'do not ask; needed where there is no terminal')
    .option('--json', 'print JSON')
    .addHelpText('after', helpWith('upload-gateway trash purge --owner ada --older-than 7d'))
    .action(running(async ({ config, progress }, options: PurgeOptions, ids: string[]) => {
      const selection = selectionOf(trash, ids, options)
      const confirm = createConfirm(options.yes === true, createAsk({ input: process.stdin, output: process.stderr }))
      const report = await atWork(config, { work: 'trash purge', progress }, (workplace) => purgeTrash(workplace, selection, { confirm, progress }))
      return { report, text: purgeText(report), hasFindings: report.left.length > 0 }
    }, () => true))
}

/** Exported for its test. */
export function createConfirm (isMeant: boolean, ask: ReturnType<typeof createAsk>) {
  return async ({ count, bytes }: { count: number, bytes: number }): Promise<boolean> => {
    if (isMeant) return true
    const what = `${count} file${count === 1 ? '' : 's'} (${size(bytes)})`
    if (ask === undefined) throw new Refusal(`This would remove ${what} for good. Nothing was removed: add --yes if that is meant.`)
    return ask(`Remove ${what} for good?`)
  }
}

function selectionOf (command: Command, ids: readonly string[], { owner, olderThan, all = false }: PurgeOptions): PurgeSelection {
  const hasFilter = owner !== undefined || olderThan !== undefined
  const given = [ids.length > 0, hasFilter, all].filter(Boolean).length
  if (given === 0) command.error('error: name what is to go: ids, or --all, or one or both of --owner and --older-than', { exitCode: 2 })
  if (given > 1) command.error('error: these exclude each other: ids, --all, and --owner or --older-than. Give only one of them; --owner and --older-than go together', { exitCode: 2 })
  if (ids.length > 0) return { ids }
  return { filter: { ownerId: owner, before: olderThan === undefined ? undefined : new Date(Date.now() - olderThan * 1000) } }
}

export function wholeNumber (text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 to 999999.')
  return Number(text)
}

const days = (ms: number): string => ms === 86_400_000 ? '1 day' : `${ms / 86_400_000} days`

/** Only avatars are replaced. */
const whatIs = ({ kind, state }: TrashItem): string => state === 'superseded' ? `replaced ${kind}` : kind

/** In 100 columns, unless ids of owners or names are long. `ownerId`: whose all of it is, if one user's was asked for. */
export function listText ({ count, bytes, items }: TrashList, { ownerId, retentionMs }: { ownerId: string | undefined, retentionMs: number }): string {
  const total = `${count}${ownerId === undefined ? '' : ` of ${plain(ownerId)}`} in the trash, ${size(bytes)}`
  if (items.length === 0) return `${total}.`
  const ofOwner = (text: string): string[] => ownerId === undefined ? [text] : []
  const rows = items.map((item) => [item.id, whatIs(item), ...ofOwner(item.ownerId ?? ''), item.stateAt.slice(0, 10), size(item.bytes), item.filename ?? ''])
  const listed = table(['id', 'what', ...ofOwner('owner'), 'since', 'size', 'name'], rows).replaceAll(/ +$/gm, '')
  return `${listed}\n${total}; each is kept for ${days(retentionMs)}${count > items.length ? `; the latest ${items.length} are shown` : ''}.`
}

const leftText = (left: readonly LeftAlone[]) => left.map(({ id, reason }) => `${plain(id)}  left alone: ${plain(reason)}\n`).join('')

export function restoreText ({ restored, left }: RestoreReport): string {
  const back = restored.map(({ id, as, ownerId, url }) => `${id}  is back as ${as === 'attachment' ? 'an attachment' : `${as === 'current picture' ? 'the current' : 'an earlier'} picture`} of ${plain(ownerId ?? 'nobody')}: ${plain(url)}\n`).join('')
  return `${back}${leftText(left)}${restored.length} restored, ${left.length} left alone.`
}

export function purgeText ({ purged, bytes, finished, left }: PurgeReport): string {
  const earlier = finished === 0 ? '' : `${finished} that an earlier purge had begun with ${finished === 1 ? 'is' : 'are'} gone now too.\n`
  return `${leftText(left)}${earlier}${purged} removed for good, ${size(bytes)}${left.length === 0 ? '' : `; ${left.length} left alone`}.`
}
