// upload-gateway database: moving the records between SQLite and PostgreSQL.
import type { Command } from 'commander'
import { copyDatabaseTo, type DatabaseCopyReport } from '../operations/database-copy.ts'
import { helpWith, running, whereRelative } from './run.ts'
import { table } from './terminal.ts'

type Options = { from: string, to: string, json?: boolean }

export function databaseCommand (program: Command): void {
  const command = program.command('database').description('Move the records to another database.')

  command.command('copy')
    .configureHelp({ showGlobalOptions: false })
    .description('Copy all records, and the keys that the gateway made for itself, into an empty database, SQLite or PostgreSQL; the files of users stay where they are. Gateways go on reading meanwhile, with READ_ONLY=true; one that may write is refused. All of it is compared before it says done; when it is interrupted, the new database is empty, and it is run again.')
    .requiredOption('--from <url>', `the database as it is, as in DATABASE_URL: file:/path/to/gateway.sqlite or postgres://user:password@host:5432/name; ${whereRelative}`)
    .requiredOption('--to <url>', 'the new one, written the same way')
    .option('--json', 'print JSON')
    .addHelpText('after', helpWith('upload-gateway database copy --from file:/uploads/database/gateway.sqlite --to postgres://gateway:password@db:5432/gateway'))
    .action(running(async ({ config, progress }, { from, to }: Options) => {
      const report = await copyDatabaseTo(config, { from, to, progress })
      return { report, text: databaseCopyText(report) }
    }))
}

export function databaseCopyText ({ from, to, tables, rows, keys, seconds }: DatabaseCopyReport): string {
  return [
    table(['table', 'rows'], tables.map((one) => [one.table, one.rows])),
    `${rows.toLocaleString('en')} rows copied in ${seconds.toFixed(1)} s from ${from} to ${to}. Both were read to the end, and say the same.`,
    ...keys.length > 0 ? [`The keys ${keys.join(', ')} went along.`] : [],
    'Now set DATABASE_URL of every gateway to the new one, and start them without READ_ONLY. The old one is as it was: remove it when it is not needed any more, as nobody who is erased from now on is erased there.',
  ].join('\n')
}
