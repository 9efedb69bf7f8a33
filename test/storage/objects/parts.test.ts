import { createHash, randomBytes } from 'node:crypto'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { inParts, type Part } from '../../../src/storage/objects/parts.ts'
import { temporaryFolder } from '../../helper.ts'

const division = { bytesPerPart: 10, algorithm: 'sha256' } as const

async function source (t: Test, size: number) {
  const bytes = randomBytes(size)
  const path = join(await temporaryFolder(t), 'source')
  await writeFile(path, bytes)
  return { path, size, bytes }
}

test('a file is sent in numbered parts with their digests, and what came of each is told in order', async (t) => {
  const file = await source(t, 45)
  const parts: Part[] = []
  const results = await inParts(file, division, async (part) => {
    parts.push({ ...part, bytes: Buffer.from(part.bytes) })
    // The first ones end last.
    for (let turn = part.number; turn < 6; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    return part.number
  })
  t.strictSame(results, [1, 2, 3, 4, 5])
  const sorted = parts.sort((a, b) => a.number - b.number)
  t.ok(Buffer.concat(sorted.map(({ bytes }) => bytes)).equals(file.bytes))
  t.strictSame(sorted.map(({ bytes }) => bytes.length), [10, 10, 10, 10, 5])
  for (const { bytes, digest } of sorted) t.ok(digest.equals(createHash('sha256').update(bytes).digest()))
})

test('an empty file is one empty part', async (t) => {
  t.strictSame(await inParts(await source(t, 0), { ...division, algorithm: 'md5' }, async ({ bytes, digest }) => [bytes.length, digest.toString('hex')]), [[0, 'd41d8cd98f00b204e9800998ecf8427e']])
})

test('with a failure the parts on their way are aborted and waited for, and no other is sent', async (t) => {
  const file = await source(t, 200)
  let [sent, aborted] = [0, 0]
  await t.rejects(inParts(file, division, async ({ number }, signal) => {
    sent += 1
    if (number === 2) throw new Error('refused')
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    aborted += 1
    throw signal.reason
  }), { message: 'refused' })
  t.equal(sent - aborted, 1)
  t.ok(sent <= 4)
})

test('a signal that is aborted meanwhile ends it with its reason', async (t) => {
  const file = await source(t, 50)
  const leaving = new AbortController()
  const reason = new Error('no longer wanted')
  await t.rejects(inParts(file, division, async () => { leaving.abort(reason) }, leaving.signal), reason)
  await t.rejects(inParts(file, division, async () => t.fail('sent all the same'), AbortSignal.abort(reason)), reason)
})

test('a file that is not as long as was said is not sent', async (t) => {
  const file = await source(t, 50)
  const send = async () => t.fail('sent all the same')
  await t.rejects(inParts({ ...file, size: 51 }, division, send), { message: /has 50 bytes and not 51/ })
  await t.rejects(inParts({ ...file, size: 49 }, division, send), { message: /has 50 bytes and not 49/ })
  await t.rejects(inParts({ path: `${file.path}-missing`, size: 1 }, division, send), { code: 'ENOENT' })
})

test('a file that is cut while it is read fails', async (t) => {
  const file = await source(t, 200)
  await t.rejects(inParts(file, division, async () => { await truncate(file.path, 5) }), { message: /ends after \d+ bytes/ })
})
