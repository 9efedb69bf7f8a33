import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { withReplacement } from '../../../src/operations/rebuild/server.ts'
import { openSqlite } from '../../../src/records/embedded.ts'
import { lookAtOld } from '../../../src/records/old-database.ts'
import { fileSystem } from '../../../src/storage/fs.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { keep, sqliteFor } from '../../records/fixtures/database.ts'
import { folderFor, sidecarFor } from '../../storage/fixtures/volume.ts'

/** A SQLite database in the place of a server: what is asked of both is the same. */
async function setUp (t: Test) {
  const database = await sqliteFor(t)
  const root = await folderFor(t)
  const [staging, databaseFile] = [join(root, 'staging'), join(root, 'database', 'gateway.sqlite')]
  mkdirSync(staging)
  return { ...database, staging, databaseFile, task: { fs: fileSystem, storage: { staging: { folder: staging } }, database: database.address, databaseFile } }
}

async function fill (file: string): Promise<void> {
  const fresh = await openSqlite({ file, requireMount: false })
  await keep(fresh.client, sidecarFor('new', { ownerId: 'eve' }))
  await fresh.close()
}

t.test('the old rows can be read, and the new ones come in their place', async (t) => {
  const { client, task, staging, databaseFile } = await setUp(t)
  await keep(client, sidecarFor('old'))
  await client.setting.create({ data: { key: 'volumeId', value: 'v' } })
  await client.setting.create({ data: { key: 'databaseId', value: 'd' } })
  const kept = await withReplacement(task, async (old, { file, putInPlace, discard }) => {
    t.match(lookAtOld(old), { is: 'readable', volumeId: 'v', databaseId: 'd', isOurs: true })
    await fill(file)
    t.match(await client.blob.findMany(), [{ ownerId: 'ada' }], 'until then the old ones are there')
    const keptAs = await putInPlace(false)
    await discard()
    return keptAs
  })
  t.equal(kept, undefined)
  t.match(await client.blob.findMany(), [{ ownerId: 'eve' }])
  t.strictSame([readdirSync(staging), existsSync(dirname(databaseFile))], [[], false])
})

t.test('old rows of which not all could be read are kept as a file', async (t) => {
  const { client, task, databaseFile } = await setUp(t)
  await client.setting.create({ data: { key: 'volumeId', value: 'v' } })
  const kept = await withReplacement(task, async (_old, { file, putInPlace }) => {
    await fill(file)
    return putInPlace(true)
  })
  t.ok(kept?.startsWith(`${databaseFile}.damaged-`))
  t.match(lookAtOld(kept ?? ''), { is: 'readable', volumeId: 'v' })
  t.equal(await client.blob.count(), 1)
})

t.test('they are durable before the new ones come in their place', async (t) => {
  const { client, task, databaseFile } = await setUp(t)
  const faults = createFaults()
  for (const path of [/\.damaged-/, new RegExp(`^${dirname(databaseFile)}$`)]) {
    faults.inject({ on: 'sync', path, errno: 'EIO' })
    await withReplacement({ ...task, fs: faults.fs }, async (_old, { file, putInPlace }) => {
      await fill(file)
      await t.rejects(putInPlace(true), { code: 'EIO' }, String(path))
    })
    t.equal(await client.blob.count(), 0)
    faults.heal()
  }
})

t.test('where there is none, there are no old rows', async (t) => {
  const { task, databaseFile } = await setUp(t)
  await withReplacement({ ...task, database: { kind: 'sqlite', file: databaseFile } }, async (old, { file, putInPlace }) => {
    t.same(lookAtOld(old), { is: 'absent' })
    await fill(file)
    await putInPlace(false)
  })
  t.ok(existsSync(databaseFile))
})
