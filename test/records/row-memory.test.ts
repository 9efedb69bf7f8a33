import { join } from 'node:path'
import t, { type Test } from 'tap'
import BetterSqlite3 from 'better-sqlite3'
import { openDatabase, type Database } from '../../src/records/database.ts'
import { createOwners } from '../../src/records/owners.ts'
import { createRowMemory, forgetful, type RowMemory } from '../../src/records/row-memory.ts'
import { watchOthers, type RowChanges } from '../../src/records/row-changes.ts'
import { withoutReader } from '../../src/records/row-reader.ts'
import { temporaryFolder } from '../helper.ts'

const at = new Date('2026-11-23T00:00:00Z')

const blob = (id: string, changes: object = {}) => ({ id, kind: 'avatar', extension: 'jpg', state: 'live', ownerId: 'ada', creatorId: 'ada', contentType: 'image/jpeg', size: 1n, sha256: '0'.repeat(64), stateAt: at, createdAt: at, ...changes })

type Built = { database: Database, memory: RowMemory, file: string, state: () => Promise<string | undefined>, loads: () => number }

/** `state`: that of blob b, out of the memory. */
async function build (t: Test): Promise<Built> {
  const file = join(await temporaryFolder(t), 'gateway.sqlite')
  const database = await openDatabase({ address: { kind: 'sqlite', file }, requireMount: false, connections: 1 })
  t.teardown(() => database.close())
  const { client, changes } = database
  if (changes === undefined) return t.bailout('SQLite tells what changes') as never
  const memory = createRowMemory(changes)
  await client.blob.create({ data: blob('b') })
  let loads = 0
  const load = () => {
    loads += 1
    return client.blob.findUnique({ where: { id: 'b' } })
  }
  return { database, memory, file, loads: () => loads, state: async () => (await memory.get('b', load, ({ id }) => [`blob ${id}`, 'avatars ada']))?.state }
}

/** What another turn of the event loop sees. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

t.test('a row is read once, and again as soon as it is another', async (t) => {
  const { database: { client }, state, loads } = await build(t)
  t.equal(await state(), 'live')
  t.equal(await state(), 'live')
  t.equal(loads(), 1)
  await client.blob.update({ where: { id: 'b' }, data: { state: 'superseded' } })
  t.equal(await state(), 'superseded')
  await client.blob.updateMany({ where: { kind: 'avatar' }, data: { state: 'deleted' } })
  t.equal(await state(), 'deleted', 'also changed among many')
  await client.$transaction([client.blob.update({ where: { id: 'b' }, data: { state: 'live' } }), client.blob.create({ data: blob('c', { ownerId: 'bob' }) })])
  t.equal(await state(), 'live', 'and in a transaction')
  t.equal(loads(), 4)
  await client.blob.update({ where: { id: 'c' }, data: { state: 'deleted' } })
  await client.account.create({ data: { id: 'ada', email: 'a@x.org', displayName: 'Ada', passwordHash: 'h', createdAt: at, updatedAt: at } })
  t.equal(await state(), 'live')
  t.equal(loads(), 4, 'what is none of its rows changes nothing')
  await client.blob.delete({ where: { id: 'b' } })
  t.equal(await state(), undefined)
  await client.blob.create({ data: blob('b') })
  t.equal(await state(), 'live', 'that there was none was not remembered')
})

t.test('what is told of a user is told of each row that is, or was, one of their pictures', async (t) => {
  const { database: { client }, state, loads } = await build(t)
  const changes: Array<[string, () => Promise<unknown>]> = [
    ['a new picture', () => client.blob.create({ data: blob('n') })],
    ['another one of theirs', () => client.blob.update({ where: { id: 'n' }, data: { state: 'deleted' } })],
    ['one that goes to somebody else', () => client.blob.update({ where: { id: 'n' }, data: { ownerId: 'bob' } })],
    ['one that comes from somebody else', () => client.blob.update({ where: { id: 'n' }, data: { ownerId: 'ada' } })],
    ['the choice of it', () => client.avatar.create({ data: { userId: 'ada', blobId: 'n' } })],
    ['another choice', () => client.avatar.update({ where: { userId: 'ada' }, data: { blobId: 'b' } })],
    ['no choice', () => client.avatar.delete({ where: { userId: 'ada' } })],
    ['one that goes', () => client.blob.delete({ where: { id: 'n' } })],
  ]
  await state()
  for (const [what, change] of changes) {
    const before = loads()
    await change()
    await state()
    t.equal(loads(), before + 1, what)
  }
  const before = loads()
  await client.blob.create({ data: blob('f', { kind: 'attachment' }) })
  await client.attachment.create({ data: { id: 'a', blobId: 'f', ownerId: 'ada', filename: 'f', visibility: 'private', createdAt: at } })
  await state()
  t.equal(loads(), before, 'their files are no pictures')
})

t.test('what another process commits is seen', async (t) => {
  const { database: { client }, file, state, memory } = await build(t)
  const row = await memory.get('held', () => client.blob.findUnique({ where: { id: 'b' } }), () => ['blob b'])
  const basis = memory.basisOf(row ?? {})
  t.equal(await state(), 'live')
  await turn()
  t.equal(basis?.(), true)
  const other = new BetterSqlite3(file)
  t.teardown(() => other.close())
  other.prepare('UPDATE Blob SET state = ?').run('deleted')
  await turn()
  t.equal(basis?.(), false)
  t.equal(await state(), 'deleted')
})

t.test('what was taken back is as it was', async (t) => {
  const { database: { client }, state } = await build(t)
  t.equal(await state(), 'live')
  await t.rejects(client.$transaction([client.blob.update({ where: { id: 'b' }, data: { state: 'deleted' } }), client.blob.create({ data: blob('b') })]))
  t.equal(await state(), 'live')
})

/** Changes that the test tells. */
function told () {
  let hear: (name: `blob ${string}`) => void = () => {}
  const others = { changed: false }
  const changes: RowChanges = {
    hear: (listener) => { hear = listener },
    haveOthersChanged () {
      const { changed } = others
      others.changed = false
      return changed
    },
    reader: withoutReader,
  }
  return { changes, others, tell: (name: `blob ${string}`) => hear(name) }
}

t.test('what was being read when something changed is not remembered, and nobody who came later gets it', async (t) => {
  for (const how of ['by this process', 'by another'] as const) {
    const { changes, others, tell } = told()
    const memory = createRowMemory(changes)
    const old = Promise.withResolvers<{ value: string }>()
    const first = memory.get('key', () => old.promise, () => ['blob b'])
    const shared = memory.get<{ value: string }>('key', async () => t.fail('those who ask meanwhile share the reading') as never, () => ['blob b'])
    if (how === 'by another') others.changed = true
    else tell('blob of somebody else')
    const later = memory.get('key', async () => ({ value: 'new' }), () => ['blob b'])
    old.resolve({ value: 'old' })
    t.strictSame(await Promise.all([first, shared, later]), [{ value: 'old' }, { value: 'old' }, { value: 'new' }], how)
    const kept = await memory.get('key', async () => t.fail('the newer one is remembered') as never, () => ['blob b'])
    t.strictSame(kept, { value: 'new' }, how)
    t.equal(memory.basisOf(await first ?? {}), undefined)
  }
})

t.test('others change something just when a row has been read', async (t) => {
  const { changes, others } = told()
  const memory = createRowMemory(changes)
  const row = { value: 'old' }
  await memory.get('key', async () => { others.changed = true; return row }, () => ['blob b'])
  t.equal(memory.basisOf(row), undefined)
})

t.test('a row that was pushed out is vouched for no more', async (t) => {
  const { changes, tell } = told()
  const memory = createRowMemory(changes)
  const row = { value: 'first' }
  await memory.get('first', async () => row, () => ['blob b'])
  const basis = memory.basisOf(row)
  t.equal(basis?.(), true)
  for (let index = 0; index < 21_000; index += 1) await memory.get(`other ${index}`, async () => ({}), () => ['blob c'])
  t.equal(basis?.(), false)
  tell('blob c')
  t.equal(await memory.get('other 20999', async () => null, () => []), null)
})

t.test('a reading that fails is the failure of all who share it, and of nobody else', async (t) => {
  const memory = createRowMemory(told().changes)
  const failing = () => Promise.reject(new Error('no database'))
  const both = [memory.get('key', failing, () => []), memory.get('key', failing, () => [])]
  for (const one of both) await t.rejects(one, { message: 'no database' })
  t.strictSame(await memory.get('key', async () => ({ value: 1 }), () => []), { value: 1 })
})

t.test('where nothing is told, nothing is remembered', async (t) => {
  let loads = 0
  const load = async () => ({ loads: ++loads })
  t.strictSame(await forgetful.get('key', load, () => []), { loads: 1 })
  const again = await forgetful.get('key', load, () => [])
  t.strictSame(again, { loads: 2 })
  t.equal(forgetful.basisOf(again ?? {}), undefined)
})

t.test('how many erasures there were is known without asking, until there is another', async (t) => {
  const { database: { client }, memory, file } = await build(t)
  let asked = 0
  const counting = client.$extends({ query: { erasure: { findFirst ({ args, query }) { asked += 1; return query(args) } } } })
  const owners = createOwners({ client: counting as unknown as typeof client, hash: (_thing, name) => name, memory })
  const erasure = (id: string, epoch: number) => ({ id, epoch, ownerKey: id, createdAt: at })
  for (let time = 0; time < 3; time += 1) t.equal(await owners.epoch(), 0)
  t.equal(asked, 1)
  await client.erasure.create({ data: erasure('a', 1) })
  for (let time = 0; time < 3; time += 1) t.equal(await owners.epoch(), 1)
  t.equal(asked, 2)
  const other = new BetterSqlite3(file)
  t.teardown(() => other.close())
  other.prepare('INSERT INTO "Erasure" ("id", "epoch", "ownerKey", "createdAt") VALUES (?, ?, ?, ?)').run('b', 2, 'b', at.toISOString())
  await turn()
  t.equal(await owners.epoch(), 2, 'also by another process')
})

t.test('while SQLite cannot tell whether others changed something, they may have', async (t) => {
  const { memory, file } = await build(t)
  const connection = new BetterSqlite3(file)
  const others = watchOthers(connection)
  const changed = async () => { await turn(); return others.haveOthersChanged() }
  t.strictSame([await changed(), await changed()], [true, false])
  connection.close()
  t.strictSame([await changed(), await changed()], [true, true])
  const failing = createRowMemory({ hear () {}, reader: memory.reader, haveOthersChanged: others.haveOthersChanged })
  const row = await failing.get('b', async () => ({ id: 'b' }), () => ['blob b'])
  const basis = failing.basisOf(row ?? {})
  await turn()
  t.not(basis?.(), true)
})

t.test('rows with long texts push out others, so that what is remembered is bounded', async (t) => {
  const memory = createRowMemory({ hear () {}, reader: withoutReader, haveOthersChanged: () => false }, 300_000)
  const loads = new Map<string, number>()
  const get = (key: string) => memory.get(key, async () => { loads.set(key, (loads.get(key) ?? 0) + 1); return { readers: 'x'.repeat(50_000) } }, () => ['blob b'])
  for (const key of ['a', 'b', 'a', 'c', 'd', 'e', 'f', 'g']) await get(key)
  t.equal(loads.get('a'), 1)
  await get('a')
  t.equal(loads.get('a'), 2)
})
