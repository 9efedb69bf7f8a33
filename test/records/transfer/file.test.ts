import { join } from 'node:path'
import t from 'tap'
import { openSqlite } from '../../../src/records/embedded.ts'
import { fileIntoDatabase, rowsIntoFile } from '../../../src/records/transfer/file.ts'
import { sidecarFor } from '../../storage/fixtures/volume.ts'
import { databaseFor, keep } from '../fixtures/database.ts'

const at = new Date('2026-11-22T10:00:00.123Z')

t.test('rows go into a file and out of it again, in place of what is there', async (t) => {
  const { client, address } = await databaseFor(t)
  await keep(client, sidecarFor('kept'))
  await client.tombstone.create({ data: { key: 'passing', createdAt: at } })
  await client.setting.createMany({ data: [{ key: 'secret:link.secret', value: 'x' }, { key: 'databaseId', value: 'y' }] })
  const before = await client.blob.findMany()
  const file = join(t.testdir(), 'copy.sqlite')
  const copied = await rowsIntoFile(address, file, ['Tombstone'])
  t.equal(copied.find(({ table }) => table === 'Blob')?.rows, 1)
  const copy = await openSqlite({ file, requireMount: false })
  t.strictSame(await copy.client.blob.findMany(), before)
  t.strictSame([await copy.client.tombstone.count(), await copy.client.setting.count()], [0, 0])
  await copy.close()
  await keep(client, sidecarFor('later'))
  await fileIntoDatabase(file, address)
  t.strictSame(await client.blob.findMany(), before)
  t.strictSame((await client.setting.findMany({ orderBy: { key: 'asc' } })).map(({ key }) => key), ['databaseId', 'secret:link.secret'], 'the secrets stay, and which database it is')
})

t.test('what fails leaves everything as it was, and nothing open', async (t) => {
  const { client, address } = await databaseFor(t)
  await keep(client, sidecarFor('kept'))
  const folder = t.testdir({ 'none.sqlite': 'no database '.repeat(1000) })
  await t.rejects(fileIntoDatabase(join(folder, 'none.sqlite'), address), { name: 'ConfigError' })
  t.equal(await client.blob.count(), 1)
  await t.rejects(rowsIntoFile({ kind: 'sqlite', file: join(folder, 'absent.sqlite') }, join(folder, 'copy.sqlite')), { code: 'SQLITE_CANTOPEN' })
})
