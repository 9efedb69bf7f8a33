import { realpath, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { collect } from '../../fixtures/collect.ts'
import { dateOfFile, readerOf, sizeOfFile } from '../../../src/operations/import/tree-file.ts'
import { temporaryFolder } from '../../helper.ts'

test('a file is read as often as it is asked for, unless it is too large', async (t) => {
  const root = await realpath(await temporaryFolder(t))
  await writeFile(join(root, 'a'), 'text')
  const read = readerOf(root, 'a')
  for (let n = 0; n < 2; n += 1) t.equal(Buffer.concat(await collect(read(4))).toString(), 'text')
  await t.rejects(collect(read(3)), { code: 'too-large', size: 4 })
  await t.rejects(collect(readerOf(root, '../a')(4)), { name: 'OldFileRefused', fault: 'bad-path' })
})

test('a file that is not read has a size all the same, while it is there', async (t) => {
  const root = await temporaryFolder(t)
  await writeFile(join(root, 'a'), 'text')
  t.strictSame([await sizeOfFile(root, 'a'), await sizeOfFile(root, 'none')], [{ size: 4 }, {}])
})

test('it is as old as its path says, or its own time', async (t) => {
  const root = await temporaryFolder(t)
  const [at, now] = [new Date('2020-05-05'), new Date('2026-01-01')]
  await writeFile(join(root, 'a'), 'text')
  await utimes(join(root, 'a'), at, at)
  t.strictSame(await dateOfFile(root, 'a', '/i/2021/06/a', now), { createdAt: new Date('2021-06-01'), isDated: true, notes: [] })
  t.strictSame(await dateOfFile(root, 'a', '/uploads/a', now), { createdAt: at, isDated: true, notes: [] })
  t.strictSame(await dateOfFile(root, 'none', '/uploads/none', now), { createdAt: now, isDated: false, notes: [] })
})
