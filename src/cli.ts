#!/usr/bin/env node
// The command line: one line for each command. What a command does is a function in a file of its own.
import { inspect } from 'node:util'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { allScopes } from './callers/claims.ts'
import type { Scope } from './callers/caller.ts'
import { ConfigError, readConfig } from './config.ts'
import { mintToken, parseDuration } from './operations/token.ts'
import { version } from './version.ts'

const exitCodes = `
Exit codes:
  0  done
  1  refused: the sentence on standard error says why and what to do
  2  the command line is not valid`

const program = new Command('upload-gateway')
  .description('Runs and maintains the upload gateway. Settings come from the environment; .env.example explains each.')
  .version(version, '--version', 'print the version')
  .exitOverride()
  .showHelpAfterError('Add --help for the options.')
  .configureHelp({ showGlobalOptions: true })
  .addHelpText('after', exitCodes)

program.command('serve')
  .description('Run the gateway, as npm start does.')
  .addHelpText('after', `
Example:
  UPLOADS_DIR=/srv/uploads upload-gateway serve
${exitCodes}`)
  .action(async () => { await import('./server.ts') })

program.command('token')
  .description('Make a token and print it.')
  .requiredOption('--subject <id>', 'whom the token is for')
  .addOption(new Option('--scope <scope...>', 'what it may do beyond the subject\'s own files').choices(allScopes).default([], 'none'))
  .addOption(new Option('--expires <duration>', 'how long it lasts: 30s, 15m, 1h, 7d').argParser(duration).default(3600, '1h'))
  .option('--json', 'print JSON with the token and what it says')
  .addHelpText('after', `
Example:
  curl -H "Authorization: Bearer $(upload-gateway token --subject billing --scope uploads:service --expires 15m)" \\
    "http://localhost:3001/api/attachments?owner=ada"
${exitCodes}`)
  .action(token)

async function token ({ subject, scope, expires, json = false }: { subject: string, scope: Scope[], expires: number, json?: boolean }) {
  const minted = await mintToken(readConfig(process.env), { subject, scopes: scope, seconds: expires })
  process.stdout.write(`${json ? JSON.stringify(minted) : minted.token}\n`)
}

function duration (text: string): number {
  const seconds = parseDuration(text)
  if (seconds === undefined) throw new InvalidArgumentError('It must be like 30s, 15m, 1h or 7d, and at most 3650d.')
  return seconds
}

/** Says what went wrong, unless commander has, and returns the exit code. */
function report (error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  process.stderr.write(`${error instanceof ConfigError ? error.message : inspect(error)}\n`)
  return 1
}

process.exitCode = await program.parseAsync().then(() => 0, report)
