// upload-gateway token: a token for a service, an admin, or for trying things out.
import { InvalidArgumentError, Option, type Command } from 'commander'
import { allScopes } from '../callers/claims.ts'
import { asUserId, type Scope, type UserId } from '../callers/caller.ts'
import { mintToken, parseDuration } from '../operations/token.ts'
import { helpWith, running } from './run.ts'

type Options = { subject: UserId, scope: Scope[], expires: number, json?: boolean }

export function tokenCommand (program: Command): void {
  program.command('token')
    .description('Make a token and print it.')
    .requiredOption('--subject <id>', 'whom the token is for', userId)
    .addOption(new Option('--scope <scope...>', 'what it may do beyond the subject\'s own files').choices(allScopes).default([], 'none'))
    .addOption(new Option('--expires <duration>', 'how long it lasts: 30s, 15m, 1h, 7d').argParser(seconds).default(3600, '1h'))
    .option('--json', 'print JSON with the token and what it says')
    .addHelpText('after', helpWith(`curl -H "Authorization: Bearer $(upload-gateway token --subject billing --scope uploads:service --expires 15m)" \\
  "http://localhost:3001/api/attachments?owner=ada"`))
    .action(running(async ({ config }, { subject, scope, expires }: Options) => {
      const minted = await mintToken(config, { subject, scopes: scope, seconds: expires })
      return { report: minted, text: minted.token }
    }))
}

function userId (text: string): UserId {
  const id = asUserId(text)
  if (id === undefined) throw new InvalidArgumentError('It must be 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me".')
  return id
}

/** For options that take a duration. */
export function seconds (text: string): number {
  const parsed = parseDuration(text)
  if (parsed === undefined) throw new InvalidArgumentError('It must be like 30s, 15m, 1h or 7d, and at most 3650d.')
  return parsed
}
