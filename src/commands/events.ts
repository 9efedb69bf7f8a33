// upload-gateway events: what the webhook has not taken yet, what was given up, and both tried again now.
import { Option, type Command } from 'commander'
import { listEvents, retryEvents, type EventItem, type EventList, type RetryReport } from '../operations/events.ts'
import { atWork } from '../operations/workplace.ts'
import { helpWith, running } from './run.ts'
import { plain, table } from './terminal.ts'
import { wholeNumber } from './trash.ts'

export function eventsCommand (program: Command): void {
  const events = program.command('events').description('What happened to files and the webhook has not taken: list it, or have it tried again now.')
    .addHelpText('after', helpWith('upload-gateway events list --dead\nupload-gateway events retry --all'))
  listCommand(events)
  retryCommand(events)
}

function listCommand (events: Command): void {
  events.command('list')
    .description('List the events that are to be delivered, the oldest first.')
    .option('--dead', 'those that were given up instead, after some three days; they are kept for 30 days')
    .addOption(new Option('--limit <count>', 'how many').argParser(wholeNumber).default(50))
    .option('--json', 'print JSON')
    .addHelpText('after', helpWith('upload-gateway events list --dead'))
    .action(running(async ({ config, progress }, { dead: isDead = false, limit }: { dead?: boolean, limit: number, json?: boolean }) => {
      const report = await atWork(config, { work: 'events list', onlyReads: true, progress }, (workplace) => listEvents(workplace, { isDead, limit }))
      return { report, text: listText(report, { isDead }) }
    }))
}

function retryCommand (events: Command): void {
  events.command('retry')
    .description('Have events tried again now, as soon as a gateway runs, when the receiver is mended: those that wait for their next try, and those that were given up. The latter come late: what happened to the same files since was told before. What is due within a minute is left to that: it may be on its way at this moment.')
    .argument('[id...]', 'of the events')
    .option('--all', 'all that wait for their next try, or were given up')
    .option('--json', 'print JSON')
    .addHelpText('after', helpWith('upload-gateway events retry --all'))
    .action(running(async ({ config, progress }, { all = false }: { all?: boolean, json?: boolean }, ids: string[]) => {
      if (all === (ids.length > 0)) events.error('error: name what is to be tried again: ids, or --all', { exitCode: 2 })
      const report = await atWork(config, { work: 'events retry', progress }, (workplace) => retryEvents(workplace, all ? undefined : ids))
      return { report, text: retryText(report), hasFindings: report.left.length > 0 }
    }, () => true))
}

const minutes = (time: string | null): string => time?.slice(0, 16).replace('T', ' ') ?? ''

const whenNext = ({ dueAt, deadAt }: EventItem): string => deadAt !== null ? minutes(deadAt) : dueAt === null ? 'after the one before' : minutes(dueAt)

/** Times are in UTC. */
export function listText ({ waiting, dead, items }: EventList, { isDead }: { isDead: boolean }): string {
  const total = `${waiting} to be delivered, ${dead} given up${(isDead ? dead : waiting) > items.length ? `; the oldest ${items.length} are shown` : ''}.`
  if (items.length === 0) return total
  const rows = items.map((item) => [item.id, item.type, item.ownerId ?? '', minutes(item.occurredAt), item.attempts, whenNext(item)])
  return `${table(['id', 'what', 'owner', 'at', 'attempts', isDead ? 'given up' : 'next'], rows).replaceAll(/ +$/gm, '')}\n${total}`
}

export function retryText ({ retried, waiting, left }: RetryReport): string {
  const alone = left.map(({ id, reason }) => `${plain(id)}  left alone: ${plain(reason)}\n`).join('')
  const others = waiting > retried.length ? ' What is due within a minute anyway is tried then, and what waits for an earlier one of its owner after that.' : ''
  return `${alone}${retried.length} tried again now${left.length === 0 ? '' : `; ${left.length} left alone`}. ${waiting} to be delivered in all.${others}`
}
