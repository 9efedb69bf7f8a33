import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { copyJournals } from '../../../src/operations/storage-copy/journals.ts'
import { fileSystem } from '../../../src/storage/fs.ts'
import { folderFor } from '../../storage/fixtures/volume.ts'

async function homes (t: Test) {
  const [from, to] = [await folderFor(t), await folderFor(t)]
  const side = (root: string) => ({ fs: fileSystem, root, name: root })
  return { from, to, copy: () => copyJournals(side(from), side(to), (work) => work()), text: (name: string) => readFileSync(join(to, name), 'utf8') }
}

test('lines that the new home has not are added, and each once', async (t) => {
  const { from, to, copy, text } = await homes(t)
  t.equal(await copy(), 0)
  writeFileSync(join(from, 'erasures.ndjson'), '\none\n\ntwo\n')
  writeFileSync(join(from, 'tombstones.ndjson'), '')
  t.equal(await copy(), 2)
  t.strictSame([text('erasures.ndjson'), text('tombstones.ndjson')], ['\none\ntwo\n', '\n'], 'also one that is empty is there')
  writeFileSync(join(to, 'erasures.ndjson'), 'own\ntwo')
  t.equal(await copy(), 1)
  t.equal(text('erasures.ndjson'), 'own\ntwo\none\n', 'half a line before it is no part of it')
  t.equal(await copy(), 0)
})

test('what cannot be read is not taken for empty', async (t) => {
  const { from, to, copy } = await homes(t)
  mkdirSync(join(from, 'erasures.ndjson'))
  await t.rejects(copy(), { message: /is not an ordinary file/ })
  rmSync(join(from, 'erasures.ndjson'), { recursive: true })
  writeFileSync(join(from, 'erasures.ndjson'), 'one\n')
  rmSync(to, { recursive: true })
  writeFileSync(to, '')
  await t.rejects(copy(), { code: 'ENOTDIR' })
})
