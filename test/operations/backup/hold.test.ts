import { randomUUID } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { holdBackup, holdForReading } from '../../../src/operations/backup/hold.ts'
import { silent as progress } from '../../../src/operations/progress.ts'
import { fileSystem as fs } from '../../../src/storage/fs.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { temporaryFolder } from '../../helper.ts'

const writer = { work: 'backup', isExclusive: true }
const reader = { work: 'restore', isExclusive: false }

t.test('one that writes must be alone; those that read need not', async (t) => {
  const dir = await temporaryFolder(t)
  const first = await holdBackup({ fs, dir, role: writer, progress })
  for (const role of [writer, reader]) await t.rejects(holdBackup({ fs, dir, role, progress }), { name: 'Refusal', message: /is in use: backup runs there as process \d+/ })
  await first.release()
  const second = await holdBackup({ fs, dir, role: reader, progress })
  const third = await holdForReading({ fs, dir, role: reader, progress })
  await t.rejects(holdBackup({ fs, dir, role: writer, progress }), { message: /restore runs there/ })
  await second.release()
  await third?.release()
  t.same(await readdir(join(dir, 'staging')), [])
})

t.test('what dead ones left goes when one writes', async (t) => {
  const dir = await temporaryFolder(t)
  const dead = join(dir, 'staging', randomUUID())
  await mkdir(dead, { recursive: true })
  await writeFile(join(dead, 'x.partial'), 'x')
  const reading = await holdBackup({ fs, dir, role: reader, progress })
  t.equal((await readdir(join(dir, 'staging'))).length, 2)
  await reading.release()
  const hold = await holdBackup({ fs, dir, role: writer, progress })
  t.same(await readdir(join(dir, 'staging')), [hold.folder.slice(-36)])
  await hold.release()
})

t.test('only what cannot be written is read without a hold', async (t) => {
  const dir = await temporaryFolder(t)
  const { fs, inject } = createFaults()
  inject({ on: 'mkdir', errno: 'EROFS' })
  t.equal(await holdForReading({ fs, dir, role: reader, progress }), undefined)
  inject({ on: 'mkdir', errno: 'EIO', forever: true })
  await t.rejects(holdForReading({ fs, dir, role: reader, progress }), { code: 'EIO' })
})
