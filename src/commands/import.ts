// upload-gateway import: the older systems move in. A dry run, unless --run says otherwise.
import { Option, type Command } from 'commander'
import { importSystemMAttachments, importSystemMAvatars, importSystemR } from '../operations/import/moving-in.ts'
import type { Entry, ImportReport, Outcome } from '../operations/import/tally.ts'
import { helpWith, running, type Result } from './run.ts'
import { plain, size, table } from './terminal.ts'

type Common = { run?: boolean, report?: string, json?: boolean }
type SystemROptions = Common & { databaseUrl: string, publicDir?: string, table: string, idColumn: string, dataColumn: string, typeColumn: string, urlColumn: string, dateColumn?: string }
type SystemMOptions = Common & { users?: string, index?: string, owner?: string, visibility: 'public' | 'private' }

export function importCommand (program: Command): void {
  const parent = program.command('import')
    .description('Move the files of an older system in. Their old addresses go on answering; nothing at the source is changed.')
    .addHelpText('after', helpWith('upload-gateway import system-m-avatars /srv/old/public/i --users users.ndjson\nupload-gateway import system-m-avatars /srv/old/public/i --users users.ndjson --run'))
  systemR(parent)
  systemMAvatars(parent)
  systemMAttachments(parent)
}

const common = (command: Command): Command => command
  .option('--run', 'import; without it this is a dry run, which writes nothing and says what would happen')
  .option('--report <file>', 'write a line of JSON for every file that was found, with what became of it and why')
  .option('--json', 'print the result as JSON')
  .addHelpText('after', whatIsFound)

const whatIsFound = `
Found are files, and entries of users or of an index: a file that is the avatar of two users counts for each of them, and an entry whose
file is not there counts as refused, and as missing. The bytes of a refused file count where its size is known.`

const visibility = (description: string) => new Option('--visibility <visibility>', description).choices(['public', 'private'])

function systemR (parent: Command): void {
  common(parent.command('system-r'))
    .description('The avatars of System R: avatar_data in its table of users, else the file behind avatar_url.')
    .requiredOption('--database-url <url>', 'its PostgreSQL database; the password can be in PGPASSWORD instead')
    .option('--public-dir <folder>', 'its public folder, in which uploads/avatars is')
    .option('--table <name>', 'the table of users, with its schema if need be', 'users')
    .option('--id-column <name>', 'the user\'s id', 'id')
    .option('--data-column <name>', 'the picture as base64', 'avatar_data')
    .option('--type-column <name>', 'its type; the bytes decide', 'avatar_content_type')
    .option('--url-column <name>', 'its old address', 'avatar_url')
    .option('--date-column <name>', 'when the picture was set; where neither it nor the address tells, that is the day of the import, and the picture replaces no other')
    .addHelpText('after', helpWith('PGPASSWORD=… upload-gateway import system-r --database-url postgres://reader@db.example/app --public-dir /srv/old/public --run'))
    .action(running(async ({ config, progress }, { databaseUrl, publicDir, table, idColumn, dataColumn, typeColumn, urlColumn, dateColumn, ...options }: SystemROptions) =>
      resultOf(await importSystemR(config, {
        ...how(options), progress, databaseUrl, publicDir, table,
        columns: { id: idColumn, data: dataColumn, type: typeColumn, url: urlColumn, date: dateColumn },
      }), options), imports))
}

function systemMAvatars (parent: Command): void {
  common(parent.command('system-m-avatars'))
    .description('System M\'s folder public/i: the avatars of users, and everything else that was served from there.')
    .argument('<folder>', 'the folder that was served as /i')
    .option('--users <file>', 'the users, a JSON object a line with id and avatar')
    .option('--owner <id>', 'to whom belongs what is nobody\'s avatar; without it such files are refused')
    .addOption(visibility('who may read what is nobody\'s avatar').default('public'))
    .addHelpText('after', helpWith('upload-gateway import system-m-avatars /srv/old/public/i --users users.ndjson --owner archive --report report.ndjson'))
    .action(running(async ({ config, progress }, options: SystemMOptions, folder: string) =>
      resultOf(await importSystemMAvatars(config, { ...how(options), progress, folder, users: options.users, owner: options.owner, visibility: options.visibility }), options), imports))
}

function systemMAttachments (parent: Command): void {
  common(parent.command('system-m-attachments'))
    .description('System M\'s folder /app/uploads: any tree of files.')
    .argument('<folder>', 'the folder that was served as /uploads')
    .option('--index <file>', 'what is known of them, a JSON object a line with path or url, ownerId, filename, contentType, createdAt, contextType and contextId')
    .option('--owner <id>', 'to whom belongs what the index names no owner of; without it such files are refused')
    .addOption(visibility('public: the old addresses stay open to everyone. private: they answer to the owner and to services, with a token').makeOptionMandatory())
    .addHelpText('after', helpWith('upload-gateway import system-m-attachments /srv/old/uploads --index attachments.ndjson --visibility private --run'))
    .action(running(async ({ config, progress }, options: SystemMOptions, folder: string) =>
      resultOf(await importSystemMAttachments(config, { ...how(options), progress, folder, index: options.index, owner: options.owner, visibility: options.visibility }), options), imports))
}

const imports = ({ run = false }: Common): boolean => run

const how = ({ run = false, report }: Common) => ({ isRun: run, reportFile: report })

const resultOf = (report: ImportReport, { report: file }: Common): Result =>
  ({ report, text: textOf(report, file), hasFindings: report.outcomes.refused.files > 0 })

const namesOf: Record<Outcome, readonly [done: string, planned: string]> = {
  imported: ['imported', 'to import'],
  changed: ['changed at the source, imported again', 'changed at the source, to import again'],
  there: ['already there', 'already there'],
  kept: ['left as decided here', 'left as decided here'],
  refused: ['refused', 'refused'],
}

function textOf (report: ImportReport, file: string | undefined): string {
  const { isDryRun, found, outcomes, reasons, withNotes } = report
  const missing = reasons.filter(({ code }) => code === 'missing').reduce((sum, { files }) => sum + files, 0)
  const rows: Array<Array<string | number>> = Object.entries(outcomes).map(([outcome, { files, bytes }]) => [namesOf[outcome as Outcome][isDryRun ? 1 : 0], files, size(bytes)])
  return [
    table(['', 'files', 'bytes'], [['found', found.files, size(found.bytes)], ...rows, ...(missing === 0 ? [] : [['  of these missing', missing, '']])]),
    ...reasons.filter(({ outcome }) => outcome !== 'there').map(({ outcome, code, files, example }) => `${outcome} (${code}): ${files}, such as ${said(example)}`),
    ...(withNotes === 0 ? [] : [`With a remark, such as a type that was not true: ${withNotes}.`]),
    ...(file === undefined ? ['For every file with its reason, add --report report.ndjson.'] : [`Every file with its reason: ${file}`]),
    ...(isDryRun ? ['This was a dry run: nothing was written. Add --run to import.'] : []),
  ].join('\n')
}

/** Names of an older system may hold anything; in quotes it is seen where they end. */
const said = ({ source, reason = '' }: Entry): string => plain(`${JSON.stringify(source)}: ${reason}`)
