import { test, type Test } from 'tap'
import { createOutbox, type DueEvent } from '../../src/events/records.ts'
import { createEvents } from '../../src/records/events.ts'
import { createKeyedHash } from '../../src/storage/keyed-hash.ts'
import { databaseFor } from '../records/fixtures/database.ts'
import { throughPrisma } from '../../src/records/statements.ts'

const hash = createKeyedHash('a volume')
const start = new Date('2026-11-23T10:11:12.345Z')

async function setUp (t: Test) {
  const { client } = await databaseFor(t)
  const clock = { date: start }
  const now = () => clock.date
  const events = createEvents({ hash, now, isWanted: true })
  const outbox = createOutbox({ client, now })
  return {
    client, outbox, clock,
    wait: (ms: number) => { clock.date = new Date(clock.date.getTime() + ms) },
    tell: async (...named: string[]) => {
      for (const id of named) await throughPrisma(client).commit(events.telling([{ type: 'avatar.created', ownerId: id.slice(0, 3), epoch: 0, data: {}, id }]))
    },
    due: async (limit = 100) => (await outbox.due(limit)).map(({ id }) => id),
    first: async (): Promise<DueEvent> => (await outbox.due(1))[0] as DueEvent,
    hold: async (event: DueEvent) => await outbox.hold(event, 30_000) ?? t.fail('it was not to be had') as never,
    rest: async () => (await client.event.findMany({ orderBy: { seq: 'asc' } })).map(({ id }) => id),
  }
}

test('what is due is the first of each owner, those that wait longest before the others', async (t) => {
  const { tell, due, wait } = await setUp(t)
  await tell('ada1', 'ada2')
  wait(5)
  await tell('bob1', 'ada3')
  t.strictSame(await due(), ['ada1', 'bob1'])
  t.strictSame(await due(1), ['ada1'])
})

test('only one of two has an event, until its time is over', async (t) => {
  const { client, tell, due, first, hold, wait, outbox } = await setUp(t)
  await tell('ada1', 'ada2')
  const event = await first()
  const held = await hold(event)
  t.strictSame(held.heldUntil, new Date(start.getTime() + 30_000))
  t.equal(await outbox.hold(event, 30_000), undefined)
  t.strictSame(await due(), [], 'nor does the next one overtake it')
  wait(30_000)
  const again = await first()
  t.match(again, { id: 'ada1', attempts: 1 }, 'whoever had it died')
  const next = await hold(again)
  await outbox.postpone(held, new Date(start.getTime() + 1e9))
  await outbox.giveUp(held)
  t.match(await client.event.findUnique({ where: { id: 'ada1' } }), { dueAt: next.heldUntil, deadAt: null }, 'it is not theirs any more')
})

test('one that was taken is gone, and the next one is due', async (t) => {
  const { tell, due, first, hold, outbox, rest } = await setUp(t)
  await tell('ada1', 'ada2', 'ada3')
  await outbox.done(await hold(await first()))
  t.strictSame(await due(), ['ada2'])
  t.strictSame(await rest(), ['ada2', 'ada3'])
})

test('one that was not taken is due again when it was said to be, and the others of its owner wait', async (t) => {
  const { tell, due, first, hold, outbox, wait } = await setUp(t)
  await tell('ada1', 'ada2')
  await outbox.postpone(await hold(await first()), new Date(start.getTime() + 2000))
  wait(1999)
  t.strictSame(await due(), [])
  wait(1)
  t.strictSame(await due(), ['ada1'])
})

test('one that was given up is kept for a while, counted, and out of the way of the next', async (t) => {
  const { tell, due, first, hold, outbox, wait, rest } = await setUp(t)
  await tell('ada1', 'ada2')
  wait(1000)
  await outbox.giveUp(await hold(await first()))
  t.strictSame(await due(), ['ada2'])
  t.strictSame(await outbox.depth(), { waiting: 1, dead: 1, oldestAt: start })
  t.equal(await outbox.forget(new Date(start.getTime() + 1000)), 0)
  t.equal(await outbox.forget(new Date(start.getTime() + 1001)), 1)
  t.strictSame(await rest(), ['ada2'])
  await outbox.done(await hold(await first()))
  t.strictSame(await outbox.depth(), { waiting: 0, dead: 0, oldestAt: undefined })
})

test('where there is nobody to tell, old ones go, sent or not, and the next of their owner is due', async (t) => {
  const { tell, due, first, hold, outbox, wait, rest } = await setUp(t)
  await tell('ada1', 'ada2', 'bob1')
  wait(1000)
  await outbox.giveUp(await hold(await first()))
  await tell('ada3', 'eve1')
  t.strictSame([await outbox.forgetAll(start), await rest()], [0, ['ada1', 'ada2', 'bob1', 'ada3', 'eve1']])
  t.equal(await outbox.forgetAll(new Date(start.getTime() + 1)), 2)
  t.strictSame(await rest(), ['ada1', 'ada3', 'eve1'], 'what was given up is kept from then on')
  t.strictSame(await due(), ['ada3', 'eve1'])
  t.equal(await outbox.forgetAll(new Date(start.getTime() + 1001)), 3)
  t.strictSame(await rest(), [])
})

test('one that was emptied while it was sent is not kept when it is given up', async (t) => {
  const { client, tell, due, first, hold, outbox, rest } = await setUp(t)
  await tell('ada1', 'ada2')
  const held = await hold(await first())
  await client.event.update({ where: { id: 'ada1' }, data: { payload: '' } })
  await outbox.giveUp(held)
  t.strictSame(await rest(), ['ada2'])
  t.strictSame(await due(), ['ada2'])
})

test('what was given up is delivered again when somebody asks, one after the other, as if it had just happened', async (t) => {
  const { client, tell, due, first, hold, outbox, wait } = await setUp(t)
  await tell('ada1', 'ada2', 'ada3', 'bob1')
  for (let count = 0; count < 3; count += 1) await outbox.giveUp(await hold(await first()))
  await outbox.giveUp(await hold(await first()))
  t.strictSame(await due(), [])
  wait(5000)
  t.strictSame(await outbox.retry(['ada2', 'nobody']), ['ada2'])
  t.match(await client.event.findUnique({ where: { id: 'ada2' } }), { attempts: 0, createdAt: new Date(start.getTime() + 5000), deadAt: null })
  t.strictSame(await due(), ['ada2'])
  t.strictSame(await outbox.retry(), ['ada1', 'ada3', 'bob1'])
  t.strictSame(await outbox.retry(), [])
  t.strictSame((await due()).sort(), ['ada1', 'ada2', 'bob1'], 'ada2 was due already')
  t.strictSame((await outbox.list(false, 2)).map(({ id }) => id), ['ada1', 'ada2'])
  t.strictSame(await outbox.list(true, 2), [])
})

test('what waits for its next try is due at once when somebody asks, the first of each owner, but for what may be being sent', async (t) => {
  const { client, tell, due, first, hold, outbox, wait } = await setUp(t)
  const later = async (ms: number) => outbox.postpone(await hold(await first()), new Date(start.getTime() + ms))
  const dueAt = async (id: string) => (await client.event.findUniqueOrThrow({ where: { id } })).dueAt?.getTime()
  await tell('ada1', 'ada2')
  await later(3_600_000)
  wait(1)
  await tell('bob1')
  await later(3_600_000)
  await tell('eve1')
  const held = await hold(await first())
  await tell('kim1')
  await later(60_001)
  t.strictSame(await due(), [])
  t.strictSame(await outbox.retry(['ada2', 'eve1', 'kim1', 'nobody']), ['ada2', 'eve1', 'kim1'])
  t.strictSame(await due(), ['ada1'], 'for ada2 waits for it')
  t.equal(await dueAt('kim1'), start.getTime() + 60_001, 'it is due soon')
  t.equal(await dueAt('eve1'), held.heldUntil.getTime())
  t.strictSame(await outbox.retry(), ['bob1'])
  t.strictSame(await due(), ['ada1', 'bob1'])
  t.match(await client.event.findUnique({ where: { id: 'bob1' } }), { attempts: 1, createdAt: new Date(start.getTime() + 1) })
  await outbox.done(held)
  t.strictSame(await outbox.retry(), [])
})

test('what was given up and is retried comes before the later ones of its owner, which wait again', async (t) => {
  const { tell, due, first, hold, outbox } = await setUp(t)
  await tell('ada1', 'ada2', 'ada3')
  await outbox.giveUp(await hold(await first()))
  await outbox.postpone(await hold(await first()), new Date(start.getTime() + 3_600_000))
  t.strictSame(await outbox.retry(), ['ada1', 'ada2'])
  t.strictSame(await due(), ['ada1'])
  await outbox.done(await hold(await first()))
  t.strictSame(await due(), ['ada2'])
})

test('a receiver that refuses again meanwhile does not keep a retry from coming to its end', async (t) => {
  const { client, tell, outbox, hold, first } = await setUp(t)
  await tell('ada1')
  await outbox.postpone(await hold(await first()), new Date(start.getTime() + 3_600_000))
  const { findMany } = client.event
  client.event.findMany = (async (query: object) => {
    const rows = await findMany(query as never)
    await client.event.updateMany({ data: { dueAt: new Date(start.getTime() + 7_200_000) } })
    return rows
  }) as unknown as typeof findMany
  t.strictSame(await outbox.retry(), ['ada1'])
})

test('thousands can be retried by name', async (t) => {
  const { client, outbox, due } = await setUp(t)
  const ids = Array.from({ length: 1203 }, (_, index) => `ada${index}`)
  await client.event.createMany({ data: ids.map((id) => ({ id, type: 'avatar.created', ownerKey: 'o', payload: '{}', createdAt: start, deadAt: start })) })
  t.equal((await outbox.retry(['x', ...ids])).length, 1203)
  t.strictSame(await due(), ['ada0'])
})

test('where the database does not answer, that is what is said', async (t) => {
  const { client, outbox } = await setUp(t)
  await client.$executeRaw`DROP TABLE "Event"`
  await t.rejects(outbox.due(1), { code: 'DATABASE_UNAVAILABLE' })
  await t.rejects(outbox.depth(), { code: 'DATABASE_UNAVAILABLE' })
})
