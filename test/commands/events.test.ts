import { Command } from 'commander'
import { test, type Test } from 'tap'
import { eventsCommand, listText, retryText } from '../../src/commands/events.ts'
import { failed } from '../../src/commands/run.ts'
import { usedGateway } from '../operations/fixtures/used-gateway.ts'
import { build } from '../helper.ts'
import { webhookSecret } from '../events/fixtures/receiver.ts'
import { commandLine } from './fixtures/command-line.ts'

// Nobody listens there.
const settings = { WEBHOOK_URL: 'http://127.0.0.1:1/', WEBHOOK_SECRET: webhookSecret }

async function setUp (t: Test) {
  const used = await usedGateway(t, settings)
  const { client } = used.app.database
  return {
    ...used, client,
    events: (...args: string[]) => commandLine(used.folder, ['events', ...args], { settings }),
    /** Gives up the oldest so many. */
    async giveUp (count: number): Promise<string[]> {
      const rows = await client.event.findMany({ orderBy: { seq: 'asc' }, take: count })
      const ids = rows.map(({ id }) => id)
      await client.event.updateMany({ where: { id: { in: ids } }, data: { deadAt: new Date('2026-11-23T10:11:12.345Z'), dueAt: null } })
      return ids
    },
  }
}

test('what is not delivered and what was given up is listed, for people and for machines', async (t) => {
  const { post, events } = await setUp(t)
  await post('ada')
  await post('ada')
  await post('bob')
  const all = events('list', '--json')
  t.match(JSON.parse(all.stdout), { waiting: 3, dead: 0, items: [{ type: 'attachment.created', ownerId: 'ada', deadAt: null }, { ownerId: 'ada', dueAt: null }, { ownerId: 'bob' }] })
  t.match(events('list', '--limit', '1').stdout, /^id +what +owner +at +attempts +next\n\S+ +attachment\.created +ada +20\d\d-\d\d-\d\d \d\d:\d\d .*\n3 to be delivered, 0 given up; the oldest 1 are shown\.\n$/)
  t.equal(events('list', '--dead').stdout, '3 to be delivered, 0 given up.\n')
})

test('what was given up is delivered again when it is asked for', async (t) => {
  const { post, drop, events, giveUp, client } = await setUp(t)
  const { id } = await post('ada')
  await drop('ada', id)
  await post('bob')
  const [first = '', second = ''] = await giveUp(2)
  t.match(events('list', '--dead').stdout, new RegExp(`^id .* given up\\n${first} .* 2026-11-23 10:11\\n${second} .*\\n1 to be delivered, 2 given up\\.\\n$`))
  t.match(events('retry', second, 'nonsense'), { status: 3, stdout: 'nonsense  left alone: No event with this id waits or was given up; it may have been delivered.\n1 tried again now; 1 left alone. 2 to be delivered in all. What is due within a minute anyway is tried then, and what waits for an earlier one of its owner after that.\n' })
  t.match(JSON.parse(events('retry', '--all', '--json').stdout), { retried: [first], waiting: 3, left: { length: 0 } })
  t.equal(await client.event.count({ where: { deadAt: null } }), 3)
})

/** Without a process of its own: what is not valid is refused before anything is opened. */
async function refused (...args: string[]): Promise<string> {
  let said = ''
  const program = new Command('upload-gateway').exitOverride().configureOutput({ writeErr: (text) => { said += text }, writeOut: (text) => { said += text } })
  eventsCommand(program)
  return program.parseAsync(['events', ...args], { from: 'user' }).then(() => 'nothing was refused', (error: unknown) => `${failed(error)} ${said}`)
}

test('a command line that does not say what is to be retried, or says it twice, is not valid', async (t) => {
  t.match(await refused('retry'), /^2 .*name what is to be tried again: ids, or --all/)
  t.match(await refused('retry', 'x', '--all'), /^2 .*ids, or --all/)
  t.match(await refused('list', '--limit', '0'), /^2 .*whole number from 1/)
  for (const name of ['list', 'retry']) t.match(await refused(name, '--help'), new RegExp(`^0 [^]*Example:\\n +upload-gateway events ${name}[^]*Exit codes:`))
})

test('texts for people', (t) => {
  const item = { id: '019aa1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b', type: 'attachment.restored', ownerId: 'ada', occurredAt: '2026-11-21T10:11:12.345Z', attempts: 3, dueAt: '2026-11-21T10:12:12.345Z', deadAt: null }
  const text = listText({ waiting: 2, dead: 1, items: [item, { ...item, ownerId: null, occurredAt: null, dueAt: null, attempts: 0 }] }, { isDead: false })
  t.match(text, /2026-11-21 10:12\n\S+ +attachment\.restored +0 +after the one before\n2 to be delivered, 1 given up\.$/)
  for (const line of text.split('\n')) t.ok(line.length <= 120, line)
  t.equal(retryText({ retried: ['a'], waiting: 1, left: [] }), '1 tried again now. 1 to be delivered in all.')
  t.equal(retryText({ retried: [], waiting: 7, left: [] }), '0 tried again now. 7 to be delivered in all. What is due within a minute anyway is tried then, and what waits for an earlier one of its owner after that.')
  t.end()
})

test('a command whose own settings have no webhook tells that of the gateway', async (t) => {
  const { post, drop, client, folder } = await setUp(t)
  const { id } = await post('ada')
  await drop('ada', id)
  t.equal(commandLine(folder, ['trash', 'restore', id]).status, 0)
  t.strictSame((await client.event.findMany({ orderBy: { seq: 'asc' } })).map(({ type }) => type), ['attachment.created', 'attachment.deleted', 'attachment.restored'])
  await build(t, { UPLOADS_DIR: folder })
  await drop('ada', id)
  t.equal(commandLine(folder, ['trash', 'restore', id]).status, 0)
  t.equal(await client.event.count({ where: { type: 'attachment.restored' } }), 1, 'the gateway that started last has none')
})

test('what a command brings back is told too', async (t) => {
  const { post, drop, client, folder } = await setUp(t)
  const { id } = await post('ada')
  await drop('ada', id)
  t.equal(commandLine(folder, ['trash', 'restore', id], { settings }).status, 0)
  t.strictSame((await client.event.findMany({ orderBy: { seq: 'asc' } })).map(({ type }) => type), ['attachment.created', 'attachment.deleted', 'attachment.restored'])
})
