import { join } from 'node:path'
import { test, type Test } from 'tap'
import { Prisma } from '../../src/generated/prisma/client.ts'
import { openDatabase } from '../../src/records/database.ts'
import { inserting, throughPrisma } from '../../src/records/statements.ts'
import { folderFor } from '../storage/fixtures/volume.ts'

const at = new Date('2026-11-23T10:11:12.345Z')
const blob = { kind: 'avatar', extension: 'jpg', state: 'live', ownerId: 'ada', creatorId: null, contentType: 'image/jpeg', size: 2n ** 40n, sha256: 'x', stateAt: at, createdAt: at, keepsMetadata: true }

async function setUp (t: Test) {
  const database = await openDatabase({ address: { kind: 'sqlite', file: join(await folderFor(t), 'db.sqlite') }, requireMount: false, connections: 1 })
  t.teardown(() => database.close())
  return database
}

test('a row that is inserted in SQL is the one that Prisma would have inserted', async (t) => {
  const { client, commit } = await setUp(t)
  await commit([inserting('Blob', { id: 'a', ...blob })])
  await throughPrisma(client).commit([inserting('Blob', { id: 'b', ...blob })])
  await client.blob.create({ data: { id: 'c', ...blob } })
  const [, , made] = await client.blob.findMany({ orderBy: { id: 'asc' } })
  t.match(made, { id: 'c', ...blob })
  const rows = await client.$queryRaw<object[]>`SELECT "Blob".*, typeof("size") AS "a", typeof("createdAt") AS "b", typeof("keepsMetadata") AS "c", CAST("createdAt" AS TEXT) AS "d" FROM "Blob" ORDER BY "id"`
  t.strictSame(rows.map((row) => ({ ...row, id: '' })), Array.from({ length: 3 }, () => ({ ...rows[2], id: '' })))
})

test('what is asked directly is what Prisma answers', async (t) => {
  const { client, commit, ask } = await setUp(t)
  t.strictSame(await ask(Prisma.sql`SELECT "id" FROM "Blob"`), [])
  await commit([inserting('Blob', { id: 'a', ...blob }), inserting('Blob', { id: 'b', ...blob, size: 3n })])
  const question = Prisma.sql`SELECT "id", "size", "creatorId" FROM "Blob" WHERE "createdAt" = ${at} AND "keepsMetadata" = ${true} ORDER BY "id"`
  t.strictSame(await ask(question), [{ id: 'a', size: 2n ** 40n, creatorId: null }, { id: 'b', size: 3n, creatorId: null }])
  t.strictSame((await ask<{ id: string }>(question)).map(({ id }) => id), (await throughPrisma(client).ask<{ id: string }>(question)).map(({ id }) => id))
  await t.rejects(ask(Prisma.sql`SELECT "none" FROM "Blob"`), /no such column/)
})
