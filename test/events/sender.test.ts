import { setImmediate } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { createOutbox, type Outbox } from '../../src/events/records.ts'
import { createSender, type Witness } from '../../src/events/sender.ts'
import type { Outcome } from '../../src/events/webhook.ts'
import { createEvents } from '../../src/records/events.ts'
import { createKeyedHash } from '../../src/storage/keyed-hash.ts'
import { databaseFor } from '../records/fixtures/database.ts'
import { throughPrisma } from '../../src/records/statements.ts'

const hash = createKeyedHash('a volume')
const start = new Date('2026-11-23T10:11:12.345Z')
const day = 24 * 60 * 60_000

type Sending = { id: string, answer: (outcome: Outcome) => void }

const isTaken: Outcome = { isTaken: true }
const refused: Outcome = { isTaken: false, reason: 'it answered 500' }

async function setUp (t: Test) {
  const { client } = await databaseFor(t)
  const clock = { date: start }
  const now = () => clock.date
  const events = createEvents({ hash, now, isWanted: true })
  const said: string[] = []
  const witness: Witness = {
    sent () { said.push('sent') },
    failed: ({ id }, reason, dueAt) => said.push(`${id} failed: ${reason}, again in ${Math.round((dueAt.getTime() - now().getTime()) / 1000)} s`),
    gaveUp: ({ id }, reason) => said.push(`${id} given up: ${reason}`),
    troubled: (error) => said.push(`troubled: ${(error as { code: string }).code}`),
  }
  /** Another sender on the same database, with what it is sending now. */
  const begin = ({ outbox = createOutbox({ client, now }), answer, isAllowed }: { outbox?: Outbox, answer?: Outcome, isAllowed?: () => boolean } = {}) => {
    const sending: Sending[] = []
    const sent: string[] = []
    const sender = createSender({
      outbox, witness, now,
      ...(isAllowed && { isAllowed }),
      send: ({ id }) => {
        sent.push(id)
        return answer === undefined ? new Promise((resolve) => { sending.push({ id, answer: resolve }) }) : Promise.resolve(answer)
      },
    })
    t.teardown(async () => {
      for (const { answer } of sending) answer(isTaken)
      await sender.stop()
    })
    return { ...sender, sending, sent, answer: (id: string, outcome: Outcome) => sending.find((one) => one.id === id)?.answer(outcome) }
  }
  return {
    client, said, now,
    sender: begin,
    wait: (ms: number) => { clock.date = new Date(clock.date.getTime() + ms) },
    tell: async (...ids: string[]) => {
      for (const id of ids) await throughPrisma(client).commit(events.telling([{ type: 'avatar.created', ownerId: id.slice(0, 3), epoch: 0, data: {}, id }]))
    },
    rest: async () => (await client.event.findMany({ orderBy: { seq: 'asc' } })).map(({ id }) => id),
  }
}

/** However long it takes on a busy machine; the test's own deadline ends it. */
async function until (isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!await isSo()) await setImmediate()
}

test('all are sent, those of one owner in the order in which they happened', async (t) => {
  const { sender, tell, rest } = await setUp(t)
  await tell('ada1', 'bob1', 'ada2', 'bob2', 'ada3')
  const { look, sent } = sender({ answer: isTaken })
  look()
  await until(async () => (await rest()).length === 0)
  t.strictSame(sent.filter((id) => id.startsWith('ada')), ['ada1', 'ada2', 'ada3'])
  t.strictSame(sent.filter((id) => id.startsWith('bob')), ['bob1', 'bob2'])
  t.equal(sent.length, 5)
})

test('an owner whose event is not taken holds up nobody else', async (t) => {
  const { sender, tell, rest, wait, said } = await setUp(t)
  await tell('ada1', 'ada2', 'bob1', 'bob2')
  const { look, sent, sending, answer } = sender()
  look()
  await until(() => sending.length === 2)
  answer('ada1', refused)
  await until(() => said.length === 1)
  answer('bob1', isTaken)
  await until(() => sending.length === 3)
  answer('bob2', isTaken)
  await until(async () => (await rest()).join() === 'ada1,ada2')
  t.match(said[0], /^ada1 failed: it answered 500, again in 1 s$/)
  wait(1000)
  look()
  await until(() => sent.length === 4)
  t.equal(sent[3], 'ada1', 'it is tried again before what came after it')
  sending.at(-1)?.answer(isTaken)
  await until(() => sent.length === 5)
  t.equal(sent[4], 'ada2')
})

test('no more than eight at once', async (t) => {
  const { sender, tell } = await setUp(t)
  await tell(...Array.from({ length: 12 }, (_, index) => `${100 + index}`))
  const { look, sending, sent, stop } = sender()
  look()
  await until(() => sending.length === 8)
  look()
  sending[0]?.answer(isTaken)
  await until(() => sending.length === 9)
  const stopped = stop()
  for (const { answer } of sending) answer(isTaken)
  await stopped
  t.equal(sent.length, 9)
})

test('a stop begins with no other, waits for those that are being sent, and marks what became of them', async (t) => {
  const { sender, tell, rest } = await setUp(t)
  await tell('ada1', 'ada2')
  const { look, sending, sent, stop } = sender()
  look()
  await until(() => sending.length === 1)
  let isStopped = false
  const stopped = stop().then(() => { isStopped = true })
  await setImmediate()
  t.equal(isStopped, false)
  sending[0]?.answer(isTaken)
  await stopped
  look()
  await setImmediate()
  t.strictSame(await rest(), ['ada2'])
  t.strictSame(sent, ['ada1'])
})

test('two gateways on one database send each event once, and one owner\'s in order', async (t) => {
  const { sender, tell, rest } = await setUp(t)
  const ids = Array.from({ length: 40 }, (_, index) => `${100 + index % 4}-${String(index).padStart(2, '0')}`)
  await tell(...ids)
  const all: string[] = []
  const both = [sender({ answer: isTaken }), sender({ answer: isTaken })]
  const record = both.map(({ sent }) => sent)
  await until(async () => {
    for (const { look } of both) look()
    return (await rest()).length === 0
  })
  all.push(...record.flat())
  t.strictSame(all.toSorted(), ids.toSorted(), 'none twice')
  for (const sent of record) for (const owner of ['100', '101', '102', '103']) t.strictSame(sent.filter((id) => id.startsWith(owner)), sent.filter((id) => id.startsWith(owner)).toSorted())
})

test('what a gateway was sending when it died is sent again, by another, after a while', async (t) => {
  const { sender, tell, wait, said } = await setUp(t)
  await tell('ada1', 'ada2')
  const dead = sender()
  dead.look()
  await until(() => dead.sending.length === 1)
  const { look, sent, stop } = sender({ answer: isTaken })
  look()
  wait(29_000)
  look()
  await stop()
  t.strictSame(sent, [], 'it may still be at it')
  wait(1000)
  const third = sender({ answer: isTaken })
  third.look()
  await until(() => third.sent.length === 2)
  t.strictSame(third.sent, ['ada1', 'ada2'])
  t.ok(said.length >= 1)
})

test('after three days it is given up, and the next one has its turn', async (t) => {
  const { client, sender, tell, wait, said, rest } = await setUp(t)
  await tell('ada1')
  wait(3 * day)
  await client.event.updateMany({ data: { attempts: 6, dueAt: start } })
  await tell('ada2')
  const { look, answer, sending } = sender()
  look()
  await until(() => sending.length === 1)
  answer('ada1', refused)
  await until(() => said.length === 1)
  t.match(said[0], /^ada1 failed: .*, again in \d+ s$/, 'there were seven attempts')
  await client.event.updateMany({ where: { id: 'ada1' }, data: { dueAt: start } })
  look()
  await until(() => sending.length === 2)
  sending[1]?.answer(refused)
  await until(() => sending.length === 3)
  t.equal(said[1], 'ada1 given up: it answered 500')
  t.equal(sending[2]?.id, 'ada2')
  t.strictSame(await rest(), ['ada1', 'ada2'])
})

test('one that says nothing any more is dropped, and what comes after it is sent', async (t) => {
  const { client, sender, tell, said, rest } = await setUp(t)
  await tell('ada1', 'ada2')
  await client.event.update({ where: { id: 'ada1' }, data: { payload: '' } })
  const { look, sent } = sender({ answer: isTaken })
  look()
  await until(async () => (await rest()).length === 0)
  t.strictSame(sent, ['ada2'])
  await until(() => said.length > 0)
  t.strictSame(said, ['sent'])
})

test('a database that fails is told of, and asked again the next time', async (t) => {
  const { client, sender, tell, said, now, rest, wait } = await setUp(t)
  await tell('ada1')
  const outbox = createOutbox({ client, now })
  let failures = 1
  const failing = (name: 'due' | 'done') => async (...args: never[]) => {
    if (failures-- > 0) throw Object.assign(new Error(name), { code: 'DATABASE_UNAVAILABLE' })
    return (outbox[name] as (...args: never[]) => Promise<never>)(...args)
  }
  const first = sender({ answer: isTaken, outbox: { ...outbox, due: failing('due') } })
  first.look()
  await first.stop()
  t.strictSame(said, ['troubled: DATABASE_UNAVAILABLE'])

  failures = 1
  const second = sender({ answer: isTaken, outbox: { ...outbox, done: failing('done') } })
  second.look()
  await until(() => said.length === 2)
  t.strictSame(await rest(), ['ada1'], 'nobody knows that it was taken')
  wait(30_000)
  second.look()
  await until(async () => (await rest()).length === 0)
  t.strictSame(second.sent, ['ada1', 'ada1'], 'so it is sent once more, rather than never')
})

test('what comes while it is looked is seen', async (t) => {
  const { sender, tell, rest } = await setUp(t)
  const { look } = sender({ answer: isTaken })
  for (let count = 0; count < 20; count += 1) {
    look()
    await tell(`ada${count}`)
    look()
    await until(async () => (await rest()).length === 0)
  }
  t.pass('each without anybody asking again')
})

test('one that is not to send leaves all to another; what it began before it ends', async (t) => {
  const { sender, tell, rest } = await setUp(t)
  let isAllowed = true
  await tell('ada1', 'ada2')
  const one = sender({ isAllowed: () => isAllowed })
  one.look()
  await until(() => one.sent.length === 1)
  isAllowed = false
  await tell('bob1')
  one.look()
  one.answer('ada1', isTaken)
  await until(async () => (await rest()).length === 2)
  t.strictSame(one.sent, ['ada1'])
  const other = sender({ answer: isTaken })
  other.look()
  await until(async () => (await rest()).length === 0)
  t.strictSame(other.sent.toSorted(), ['ada2', 'bob1'])
})

test('one that was suspended between taking an event and sending it does not send it: another has, and what comes after it', async (t) => {
  const { client, sender, tell, rest, wait, now } = await setUp(t)
  await tell('ada1', 'ada2')
  const outbox = createOutbox({ client, now })
  const { promise: resumed, resolve: resume } = Promise.withResolvers<void>()
  let isHeld = false
  const one = sender({
    answer: isTaken,
    outbox: {
      ...outbox,
      async hold (event, ms) {
        const held = await outbox.hold(event, ms)
        isHeld = true
        await resumed
        return held
      },
    },
  })
  one.look()
  await until(() => isHeld)
  wait(30_000)
  const other = sender({ answer: isTaken })
  other.look()
  await until(async () => (await rest()).length === 0)
  resume()
  await one.stop()
  t.strictSame([one.sent, other.sent], [[], ['ada1', 'ada2']])
})
