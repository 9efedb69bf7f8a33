import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { copiesBeside, removeUnfinished } from '../../src/records/leftovers.ts'
import { fileSystem } from '../../src/storage/fs.ts'
import { createFaults } from '../fixtures/faults.ts'
import { build } from '../helper.ts'

function setUp (t: Test) {
  const folder = t.testdir()
  const place = join(folder, 'gateway.sqlite')
  for (const name of ['gateway.sqlite', 'gateway.sqlite-wal', 'gateway.sqlite.rebuild-a', 'gateway.sqlite.rebuild-a-wal', '.restored-b', 'gateway.sqlite.damaged-c', 'other.sqlite.rebuild-d', 'gateway.sqlite.bak']) writeFileSync(join(folder, name), name)
  return { folder, place, names: () => readdirSync(folder).sort() }
}

test('what killed runs left goes; what was kept on purpose, and what is somebody else\'s, stays', async (t) => {
  const { folder, place, names } = setUp(t)
  t.strictSame(await copiesBeside(fileSystem, place), ['.restored-b', 'gateway.sqlite.damaged-c', 'gateway.sqlite.rebuild-a', 'gateway.sqlite.rebuild-a-wal'].map((name) => join(folder, name)))
  await removeUnfinished(fileSystem, place)
  t.strictSame(names(), ['gateway.sqlite', 'gateway.sqlite-wal', 'gateway.sqlite.bak', 'gateway.sqlite.damaged-c', 'other.sqlite.rebuild-d'])
  t.strictSame(await copiesBeside(fileSystem, place), [join(folder, 'gateway.sqlite.damaged-c')])
})

test('they lie beside the file itself, not beside a link to it', async (t) => {
  const { folder, place, names } = setUp(t)
  mkdirSync(join(folder, 'links'))
  symlinkSync(place, join(folder, 'links', 'db'))
  await removeUnfinished(fileSystem, join(folder, 'links', 'db'))
  t.notOk(names().includes('gateway.sqlite.rebuild-a'))
})

test('where there is no folder there is nothing; one that cannot be read is told', async (t) => {
  const { folder, place } = setUp(t)
  t.strictSame(await copiesBeside(fileSystem, join(folder, 'nowhere', 'gateway.sqlite')), [])
  const { fs, inject } = createFaults()
  inject({ on: 'readdir', errno: 'EIO' })
  await t.rejects(removeUnfinished(fs, place), { code: 'EIO' })
})

test('a gateway removes them at its start, and starts also when it cannot', async (t) => {
  const { app, folder } = await build(t)
  await app.close()
  const place = join(folder, 'database', 'gateway.sqlite')
  mkdirSync(dirname(place), { recursive: true })
  writeFileSync(`${place}.rebuild-a`, 'x')
  const { fs, inject } = createFaults()
  inject({ on: 'rm', path: /rebuild-a/, errno: 'EIO' })
  await (await build(t, { UPLOADS_DIR: folder }, { fs })).app.close()
  t.ok(readdirSync(join(folder, 'database')).includes('gateway.sqlite.rebuild-a'))
  await build(t, { UPLOADS_DIR: folder })
  t.notOk(readdirSync(join(folder, 'database')).includes('gateway.sqlite.rebuild-a'))
})
