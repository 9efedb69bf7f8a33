import { Readable } from 'node:stream'
import { test } from 'tap'
import { writeAll } from '../../src/storage/write-all.ts'

test('all is written in order, and a failure of either side is one of the storage', async (t) => {
  const written: string[] = []
  const staged = { write: async (chunk: Buffer) => { written.push(String(chunk)) } }
  await writeAll(staged, Readable.from([Buffer.from('a'), Buffer.from('b')]))
  t.strictSame(written, ['a', 'b'])
  const failing = async function * () { throw Object.assign(new Error('gone'), { code: 'ENOENT' }) }
  await t.rejects(writeAll(staged, failing()), { code: 'STORAGE_UNAVAILABLE', cause: { code: 'ENOENT' } })
  await t.rejects(writeAll({ write: async () => { throw Object.assign(new Error('full'), { code: 'ENOSPC' }) } }, Readable.from([Buffer.from('a')])), { code: 'STORAGE_FULL' })
})
