// upload-gateway serve: the service itself.
import type { Command } from 'commander'
import { helpWith } from './run.ts'

export function serveCommand (program: Command): void {
  program.command('serve')
    .description('Run the gateway, as npm start does.')
    .addHelpText('after', helpWith('UPLOADS_DIR=/srv/uploads upload-gateway serve'))
    .action(async () => { await import('../server.ts') })
}
