import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { uniteLines } from '../../../src/operations/backup/lines.ts'
import { fileSystem as fs } from '../../../src/storage/fs.ts'
import { createDurable } from '../../../src/storage/volume/durable.ts'

const durable = createDurable({ fs, onSyncFailure: () => {} })

t.test('each line of any place is there once', async (t) => {
  const folder = t.testdir({ a: 'one\ntwo\n', b: '\ntwo\n\nthree\n', target: 'zero\nhalf' })
  const target = join(folder, 'target')
  await uniteLines({ fs, durable, target, sources: [join(folder, 'a'), join(folder, 'b'), join(folder, 'none')] })
  t.equal(await readFile(target, 'utf8'), 'zero\nhalf\none\ntwo\nthree\n')
  const { mtimeMs } = await stat(target)
  await uniteLines({ fs, durable, target, sources: [join(folder, 'a')] })
  t.equal((await stat(target)).mtimeMs, mtimeMs, 'what has all already is not touched')
})

t.test('a journal of any length is united in parts, and what cannot be read is not taken for absent', async (t) => {
  const lines = Array.from({ length: 2500 }, (_, index) => `line ${index}\\u2028`)
  const folder = t.testdir({ a: lines.join('\n'), b: lines.slice(100).join('\n'), own: {} })
  await uniteLines({ fs, durable, target: join(folder, 'target'), sources: [join(folder, 'a'), join(folder, 'b'), join(folder, 'a/none')] })
  t.same((await readFile(join(folder, 'target'), 'utf8')).split('\n').filter((line) => line !== ''), lines)
  await t.rejects(uniteLines({ fs, durable, target: join(folder, 'target'), sources: [join(folder, 'own')] }), { message: /own is not an ordinary file/ })
})

t.test('what is absent is made, also of nothing', async (t) => {
  const folder = t.testdir({ a: 'one' })
  await uniteLines({ fs, durable, target: join(folder, 'empty'), sources: [] })
  t.equal(await readFile(join(folder, 'empty'), 'utf8'), '')
  await writeFile(join(folder, 'b'), '')
  await uniteLines({ fs, durable, target: join(folder, 'b'), sources: [join(folder, 'a')] })
  t.equal(await readFile(join(folder, 'b'), 'utf8'), '\none\n')
})
