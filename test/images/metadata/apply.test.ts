import { Readable } from 'node:stream'
import { test } from 'tap'
import { applyEdits } from '../../../src/images/metadata/apply.ts'
import { collect } from '../../fixtures/collect.ts'

const text = 'abcdefghijklmnopqrstuvwxyz'
const edits = [
  { start: 0, end: 2, replacement: Buffer.from('AB') },
  { start: 4, end: 12, replacement: Buffer.alloc(0) },
  { start: 12, end: 13, replacement: new Uint8Array([0x2d, 0x2d, 0x2d]) },
  { start: 25, end: 26, replacement: Buffer.from('!') },
]

async function applied (chunkBytes: number, list = edits, source = text): Promise<string> {
  const chunks = Array.from({ length: Math.ceil(source.length / chunkBytes) }, (_, index) => Buffer.from(source.slice(index * chunkBytes, (index + 1) * chunkBytes)))
  return Buffer.concat(await collect(applyEdits(Readable.from(chunks), list))).toString()
}

test('edits are made wherever the chunks of a file end', async (t) => {
  for (let chunkBytes = 1; chunkBytes <= 27; chunkBytes++) t.equal(await applied(chunkBytes), 'ABcd---nopqrstuvwxy!', `chunks of ${chunkBytes}`)
})

test('no edits, no change', async (t) => {
  t.equal(await applied(5, []), text)
  t.equal(await applied(5, [], ''), '')
})

test('a file that is shorter than its plan is not taken for edited', async (t) => {
  await t.rejects(applied(5, edits, text.slice(0, 20)), /20 bytes is not the one/)
  await t.rejects(applied(5, edits.slice(0, 2), text.slice(0, 8)), /8 bytes is not the one/)
})
