import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { chooseSnapshot, findSnapshots, namesIn, readText } from '../../../src/operations/backup/snapshots.ts'
import { fileSystem as fs } from '../../../src/storage/fs.ts'
import { createFaults } from '../../fixtures/faults.ts'

const [one, two] = ['20260101T000000.000Z', '20260102T000000.000Z']

t.test('what has no snapshot.json is no snapshot, and one being replaced still is', async (t) => {
  const dir = t.testdir({ snapshots: { [two]: { 'snapshot.json': '{}' }, [`${one}.replaced`]: { 'snapshot.json': '{}' }, '20260103T000000.000Z': {}, '20260104T000000.000Z.replaced': {}, other: { 'snapshot.json': '{}' } } })
  t.match(await findSnapshots(fs, dir), [{ name: one, root: join(dir, 'snapshots', `${one}.replaced`), record: undefined }, { name: two, root: join(dir, 'snapshots', two) }])
  t.match(await chooseSnapshot(fs, dir), { name: two })
  t.match(await chooseSnapshot(fs, dir, one), { name: one })
  await t.rejects(chooseSnapshot(fs, dir, 'x'), { name: 'Refusal', message: `There is no snapshot x in ${dir}. It has ${one}, ${two}.` })
})

t.test('where there is none, that is said', async (t) => {
  for (const dir of [t.testdir(), '/nowhere', import.meta.filename]) await t.rejects(chooseSnapshot(fs, dir), { name: 'Refusal', message: /There is no backup in/ })
})

t.test('what cannot be read is not taken for absent', async (t) => {
  const { fs, inject } = createFaults()
  inject({ on: 'open', errno: 'EIO' }, { on: 'readdir', errno: 'EACCES' })
  await t.rejects(readText(fs, '/x'), { code: 'EIO' })
  await t.rejects(namesIn(fs, '/x'), { code: 'EACCES' })
})

t.test('a pipe in place of snapshot.json is not waited for, and proves nothing', { skip: process.platform === 'win32' && 'there are no pipes' }, async (t) => {
  const dir = t.testdir({ snapshots: { [one]: {}, [two]: { 'snapshot.json': '{}' } } })
  execFileSync('mkfifo', [join(dir, 'snapshots', one, 'snapshot.json')])
  t.match(await findSnapshots(fs, dir), [{ name: one, record: undefined }, { name: two }])
})
