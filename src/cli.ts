#!/usr/bin/env node
// The command line: one line for each command. What a command does is a function in operations/.
import { Command } from 'commander'
import { exitCodes, failed, print } from './commands/run.ts'
import { version } from './version.ts'

/** In the order of the help. Only the one that is called is loaded: all of them take a second. */
const commands: Record<string, () => Promise<(program: Command) => void>> = {
  serve: async () => (await import('./commands/serve.ts')).serveCommand,
  token: async () => (await import('./commands/token.ts')).tokenCommand,
  backup: async () => (await import('./commands/backup.ts')).backupCommand,
  restore: async () => (await import('./commands/restore.ts')).restoreCommand,
  verify: async () => (await import('./commands/verify.ts')).verifyCommand,
  audit: async () => (await import('./commands/audit.ts')).auditCommand,
  database: async () => (await import('./commands/database.ts')).databaseCommand,
  storage: async () => (await import('./commands/storage.ts')).storageCommand,
  rebuild: async () => (await import('./commands/rebuild.ts')).rebuildCommand,
  explain: async () => (await import('./commands/explain.ts')).explainCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  trash: async () => (await import('./commands/trash.ts')).trashCommand,
  sweep: async () => (await import('./commands/sweep.ts')).sweepCommand,
  events: async () => (await import('./commands/events.ts')).eventsCommand,
  erase: async () => (await import('./commands/erase.ts')).eraseCommand,
  privacy: async () => (await import('./commands/privacy.ts')).privacyCommand,
  import: async () => (await import('./commands/import.ts')).importCommand,
}

const program = new Command('upload-gateway')
  .description('Runs and maintains the upload gateway. Settings come from the environment or a file .env; .env.example explains each.')
  .version(version, '--version', 'print the version')
  .exitOverride()
  .configureOutput({ writeOut: print })
  .showHelpAfterError('Add --help for the options.')
  .configureHelp({ showGlobalOptions: true })
  .addHelpText('after', exitCodes)

const called = commands[process.argv[2] ?? '']
for (const load of called === undefined ? Object.values(commands) : [called]) (await load())(program)

process.exitCode = await program.parseAsync().then(() => process.exitCode ?? 0, failed)
