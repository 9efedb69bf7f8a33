import { test, type Test } from 'tap'
import { createEvents, hasWebhook, inLine, nextIsDue, noteWebhook, silencing, untold, type Happening } from '../../src/records/events.ts'
import { createKeyedHash } from '../../src/storage/keyed-hash.ts'
import { databaseFor } from './fixtures/database.ts'
import { inPrisma, throughPrisma } from '../../src/records/statements.ts'

const hash = createKeyedHash('a volume')
const at = new Date('2026-11-23T10:11:12.345Z')

async function setUp (t: Test, { isWanted = true } = {}) {
  const { client } = await databaseFor(t)
  const events = createEvents({ hash, now: () => at, isWanted })
  const rows = () => client.event.findMany({ orderBy: { seq: 'asc' } })
  return {
    client, events, rows,
    tell: (...happenings: Happening[]) => throughPrisma(client).commit(events.telling(happenings)),
    due: async () => (await rows()).filter(({ dueAt }) => dueAt !== null).map(({ id }) => id),
  }
}

const created = (ownerId: string, id: string, others: Partial<Happening> = {}): Happening => ({ type: 'attachment.created', ownerId, epoch: 0, data: { name: id }, id, ...others })

test('an event is written as it is sent, with its owner\'s name in nothing else', async (t) => {
  const { client, tell, rows } = await setUp(t)
  await tell({ type: 'avatar.replaced', ownerId: 'ada', epoch: 3, data: { version: 'v' } })
  const [row] = await rows()
  t.match(row, { type: 'avatar.replaced', ownerKey: hash('owner', 'ada'), epoch: 3, createdAt: at, dueAt: at, attempts: 0, deadAt: null })
  t.strictSame(JSON.parse(row?.payload ?? ''), { id: row?.id, type: 'avatar.replaced', occurredAt: at.toISOString(), ownerId: 'ada', data: { version: 'v' } })
  t.match(row?.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  await client.event.updateMany({ data: { deadAt: at } })
  const times = await client.$queryRaw<unknown[]>`SELECT DISTINCT "createdAt", "dueAt" FROM "Event" WHERE "createdAt" = "deadAt" AND "dueAt" = "deadAt"`
  t.equal(times.length, 1, 'times are written as Prisma writes them')
})

test('of one owner only the first is due; others do not wait for it', async (t) => {
  const { tell, due, rows } = await setUp(t)
  await tell(created('ada', 'a1'), created('bob', 'b1'), created('ada', 'a2'))
  await tell(created('ada', 'a3'))
  t.strictSame((await due()).sort(), ['a1', 'b1'])
  t.strictSame((await rows()).filter(({ ownerKey }) => ownerKey === hash('owner', 'ada')).map(({ id }) => id), ['a1', 'a2', 'a3'])
})

test('an event with the same id is told once', async (t) => {
  const { tell, rows } = await setUp(t)
  await tell(created('ada', 'same'))
  await tell(created('ada', 'same', { data: { name: 'other' } }))
  t.match(await rows(), [{ id: 'same', payload: /"name":"same"/ }])
})

test('what does not happen is not told', async (t) => {
  const { client, events, rows } = await setUp(t)
  await t.rejects(client.$transaction([...inPrisma(client, events.telling([created('ada', 'a')])), client.avatar.delete({ where: { userId: 'ada' } })]), { code: 'P2025' })
  t.strictSame(await rows(), [])
  t.equal(await client.owner.count(), 0)
})

test('where nobody listens, nothing is written', async (t) => {
  const { events, client } = await setUp(t, { isWanted: false })
  t.strictSame(events.telling([created('ada', 'a')]), [])
  t.strictSame(untold.telling([created('ada', 'a')]), [])
  t.equal(await client.event.count(), 0)
})

test('whether there is a webhook is kept for others, until there is none', async (t) => {
  const { client } = await setUp(t)
  const notes = async (isThere: boolean) => {
    await noteWebhook(client, isThere)
    return [await hasWebhook(client), await client.setting.count()]
  }
  t.strictSame(await notes(false), [false, 0])
  t.strictSame(await notes(true), [true, 1])
  t.strictSame(await notes(true), [true, 1])
  t.strictSame(await notes(false), [false, 0])
})

test('whoever waits for events hears that there are some', async (t) => {
  const { events } = await setUp(t)
  let heard = 0
  events.onTold(() => { heard += 1 })
  events.told()
  untold.told()
  t.equal(heard, 1)
})

test('the owner\'s row is made, or counted, and keeps its epoch', async (t) => {
  const { client } = await setUp(t)
  await client.$executeRaw(inLine('o'))
  await client.owner.update({ where: { key: 'o' }, data: { epoch: 7 } })
  await client.$executeRaw(inLine('o'))
  t.strictSame(await client.owner.findMany(), [{ key: 'o', epoch: 7, commits: 2, choices: 0, choice: 0 }])
})

test('the next one is due when the one before is done with or given up, and not before', async (t) => {
  const { client, tell, due } = await setUp(t)
  const key = hash('owner', 'ada')
  await tell(created('ada', 'a1'), created('ada', 'a2'), created('ada', 'a3'))
  await client.$executeRaw(nextIsDue(key, at))
  t.strictSame(await due(), ['a1'])
  await client.event.update({ where: { id: 'a1' }, data: { deadAt: at, dueAt: null } })
  await client.$executeRaw(nextIsDue(key, at))
  t.strictSame(await due(), ['a2'])
  await client.event.delete({ where: { id: 'a2' } })
  const later = new Date(at.getTime() + 5)
  await client.$executeRaw(nextIsDue(key, later))
  await client.$executeRaw(nextIsDue(key, at))
  t.match(await client.event.findUnique({ where: { id: 'a3' } }), { dueAt: later }, 'and is not made due anew')
  await client.$executeRaw(nextIsDue('nobody', at))
})

test('an erasure empties what is told of files from before it, in its place in the line, and nothing else', async (t) => {
  const { client, tell, rows } = await setUp(t)
  await tell(created('ada', 'a1'), created('ada', 'dead'), created('ada', 'a2', { epoch: 2 }), created('ada', 'gone', { type: 'attachment.erased' }), created('bob', 'b1'))
  await client.event.update({ where: { id: 'dead' }, data: { deadAt: at, dueAt: null } })
  await client.$transaction(silencing(client, hash('owner', 'ada'), 2))
  const told = Object.fromEntries((await rows()).map(({ id, payload }) => [id, payload === '' ? '' : 'told']))
  t.strictSame(told, { a1: '', a2: 'told', gone: 'told', b1: 'told' })
  t.match(await client.event.findUnique({ where: { id: 'a1' } }), { dueAt: at })
})
