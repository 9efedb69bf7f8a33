import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import t from 'tap'
import { withWork } from '../../../src/operations/backup/work.ts'
import { fileSystem as fs } from '../../../src/storage/fs.ts'

t.test('the folder is in the staging of the volume, and goes with the work', async (t) => {
  const folder = t.testdir()
  t.equal(await withWork({ fs, storage: { staging: { folder } } }, async (work) => dirname(work.folder)), folder)
  await t.rejects(withWork({ fs, storage: { staging: { folder } } }, async () => { throw new Error('it failed') }), { message: 'it failed' })
  t.same(await readdir(folder), [])
})

t.test('where SQLite cannot work it is among the temporary files', async (t) => {
  t.equal(await withWork({ fs, storage: { staging: { folder: '/nowhere' } } }, async (work) => dirname(dirname(work.folder))), tmpdir())
})

t.test('its failures say which folder', async (t) => {
  await withWork({ fs, storage: { staging: { folder: '/nowhere' } } }, async (work) => {
    await t.rejects(work.writing(() => { throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' }) }), { name: 'Refusal', message: `The folder ${tmpdir()}, which a copy of the database is made in, is full. Free some space there and run this again: older snapshots are as they were.` })
  })
})
