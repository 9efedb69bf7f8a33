#!/usr/bin/env node
// The command line: one line for each command. What a command does is a function in operations/.
import { Command } from 'commander'
import { exitCodes, failed } from './commands/run.ts'
import { serveCommand } from './commands/serve.ts'
import { tokenCommand } from './commands/token.ts'
import { version } from './version.ts'

const program = new Command('upload-gateway')
  .description('Runs and maintains the upload gateway. Settings come from the environment or a file .env; .env.example explains each.')
  .version(version, '--version', 'print the version')
  .exitOverride()
  .showHelpAfterError('Add --help for the options.')
  .configureHelp({ showGlobalOptions: true })
  .addHelpText('after', exitCodes)

serveCommand(program)
tokenCommand(program)

process.exitCode = await program.parseAsync().then(() => process.exitCode ?? 0, failed)
