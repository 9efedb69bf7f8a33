import BetterSqlite3 from 'better-sqlite3'
import t, { type Test } from 'tap'
import type { DatabaseAddress } from '../../../src/config.ts'
import type { PrismaClient } from '../../../src/records/database.ts'
import { copyRows, occupied, settingIn } from '../../../src/records/transfer/rows.ts'
import type { Source, Target } from '../../../src/records/transfer/side.ts'
import { openSource, openTarget } from '../../../src/records/transfer/open.ts'
import { sidecarFor } from '../../storage/fixtures/volume.ts'
import { databaseFor, keep, sqliteFor } from '../fixtures/database.ts'

const at = new Date('2026-11-22T10:00:00.123Z')

async function furnished (t: Test) {
  const database = await databaseFor(t)
  const { client } = database
  const sidecar = sidecarFor('text', { kind: 'attachment', recordId: 'a', filename: 'naïve 😀 \\u0000.txt', visibility: 'private', keepsMetadata: true })
  await keep(client, sidecar)
  await keep(client, sidecarFor('picture', { ownerId: 'eve' }))
  await client.link.create({ data: { id: 'l', attachmentId: 'a', creatorId: 'ada', createdAt: at, expiresAt: at } })
  await client.alias.create({ data: { path: '/i/x', blobId: sidecar.id } })
  await client.resumable.create({ data: { id: 'u', ownerId: 'ada', creatorId: 'ada', scopes: '[]', kind: 'attachment', state: 'receiving', length: 2n ** 40n, blobId: 'b', recordId: 'c', erasureEpoch: 0, createdAt: at, expiresAt: at } })
  await client.segment.create({ data: { id: 'u/0-1', uploadId: 'u', start: 0, bytes: 1 } })
  await client.setting.createMany({ data: [{ key: 'volumeId', value: 'v' }, { key: 'secret:jwt.secret', value: 'of the source' }, { key: 'requiredMigration', value: 'of the source' }] })
  await client.event.createMany({ data: ['one', 'two', 'three'].map((id) => ({ id, type: 'x', ownerKey: 'k', payload: '{}', createdAt: at })) })
  await client.event.deleteMany({ where: { id: { not: 'one' } } })
  return database
}

const models = ['blob', 'attachment', 'link', 'alias', 'resumable', 'segment', 'event', 'usage'] as const

/** All rows, as the gateway reads them. */
const read = async (client: PrismaClient) => Promise.all(models.map(async (model) => (client[model] as typeof client.blob).findMany()))

async function sides (t: Test, from: { address: DatabaseAddress }, to: { address: DatabaseAddress }): Promise<{ source: Source, target: Target }> {
  const source = await openSource(from.address)
  t.teardown(() => source.close())
  const target = await openTarget(to.address)
  t.teardown(() => target.close())
  return { source, target }
}

t.test('everything is copied, as it is at one moment, while others write', async (t) => {
  const from = await furnished(t)
  const to = await databaseFor(t)
  await to.client.setting.create({ data: { key: 'secret:jwt.secret', value: 'of the target' } })
  const before = await read(from.client)
  const { source, target } = await sides(t, from, to)
  t.equal(await settingIn(source, 'volumeId'), 'v')
  t.equal(await settingIn(target, 'volumeId'), undefined)
  await keep(from.client, sidecarFor('later'))
  let seen = 0
  const copied = await copyRows({ source, target, onRows: (count) => { seen += count } })
  await target.commit()
  const count = (table: string) => copied.find((one) => one.table === table)?.rows
  t.strictSame(['Blob', 'Attachment', 'Link', 'Event', 'Usage', 'Setting', 'Account'].map(count), [2, 1, 1, 1, 2, 1, 0])
  t.equal(seen, 2 * copied.reduce((sum, { rows }) => sum + rows, 0), 'each row is read on both sides')
  t.strictSame(await read(to.client), before)
  t.strictSame(await to.client.setting.findMany({ orderBy: { key: 'asc' } }), [{ key: 'secret:jwt.secret', value: 'of the target' }, { key: 'volumeId', value: 'v' }], 'secrets are not copied with the rows, nor what migrations say of a database')
  t.equal((await to.client.event.create({ data: { id: 'next', type: 'x', ownerKey: 'k', payload: '', createdAt: at } })).seq, 4, 'numbers go on where they were')
  await to.client.blob.deleteMany()
  t.equal(await to.client.usage.count(), 0, 'usage follows the blobs there, too')
})

t.test('what is not committed is not there, and the same again works', async (t) => {
  const from = await furnished(t)
  const to = await databaseFor(t)
  const first = await sides(t, from, to)
  await copyRows({ ...first, except: ['Resumable', 'Segment'] })
  t.ok((await occupied(first.target)).includes('Blob'))
  await first.target.close()
  t.equal(await to.client.blob.count(), 0)
  const second = await sides(t, from, to)
  t.strictSame(await occupied(second.target), [])
  await copyRows({ ...second, except: ['Resumable', 'Segment'] })
  await second.target.commit()
  t.strictSame([await to.client.blob.count(), await to.client.segment.count(), await to.client.resumable.count()], [2, 0, 0])
  await second.target.close()
  const third = await sides(t, from, to)
  await copyRows(third)
  await third.target.commit()
  t.strictSame([await to.client.blob.count(), await to.client.segment.count()], [2, 1], 'what is there is replaced')
})

t.test('many pages are copied in the order of their keys', async (t) => {
  const from = await databaseFor(t)
  const keys = Array.from({ length: 1201 }, (_, index) => `k${index}`)
  await from.client.tombstone.createMany({ data: keys.map((key) => ({ key, createdAt: at })) })
  const to = await databaseFor(t)
  const { source, target } = await sides(t, from, to)
  const tombstones = (await copyRows({ source, target })).find(({ table }) => table === 'Tombstone')
  await target.commit()
  t.equal(tombstones?.rows, 1201)
  t.strictSame((await to.client.tombstone.findMany({ orderBy: { key: 'asc' } })).map(({ key }) => key), keys.toSorted())
})

t.test('a copy that is not the same on both sides is refused', async (t) => {
  const from = await furnished(t)
  const to = await databaseFor(t)
  const { source, target } = await sides(t, from, to)
  const losing: Target = { ...target, insert: async (table, rows) => target.insert(table, table.name === 'Event' ? [] : rows) }
  await t.rejects(copyRows({ source, target: losing }), { name: 'NotTransferable', message: 'The table Event is not the same on both sides: 1 rows were read, and 0 are there.' })
  const changing: Target = { ...target, insert: async (table, rows) => target.insert(table, table.name === 'Alias' ? rows.map(([id]) => [id ?? null, '/i/y']) : rows) }
  await t.rejects(copyRows({ source, target: changing }), { message: 'The table Alias is not the same on both sides: 1 rows were read, and 1 are there.' })
})

t.test('databases of different versions are refused before anything is changed', async (t) => {
  const [from, to] = [await sqliteFor(t), await sqliteFor(t)]
  const connection = new BetterSqlite3(from.file)
  connection.exec('ALTER TABLE "Alias" ADD COLUMN "later" BLOB')
  const message = 'The two are not of the same version: the column later (text) of the table Alias is in one of them alone.'
  const { source, target } = await sides(t, from, to)
  await t.rejects(copyRows({ source, target }), { name: 'NotTransferable', message })
  await target.close()
  const back = await sides(t, to, from)
  await t.rejects(copyRows(back), { message })
  await back.target.close()
  connection.exec('DROP TABLE "Link"')
  connection.close()
  await t.rejects(openSource(from.address), { name: 'NotTransferable', message: /^It has no table Link: it is no database of the gateway, or of another version\.$/ })
  const without: Source = { ...source, tables: source.tables.filter(({ name }) => name !== 'Setting') }
  await t.rejects(settingIn(without, 'volumeId'), { message: 'It has no table Setting.' })
})
