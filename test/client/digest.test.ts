import { createHash } from 'node:crypto'
import { test } from 'tap'
import { checksumOf, piecesSha256Of, sha256Of } from '../../src/client/digest.ts'

const bytes = new TextEncoder().encode('what is sent')

test('a small file has a digest, and a chunk a checksum in the words of tus', async (t) => {
  t.equal(await sha256Of(new Blob([bytes])), createHash('sha256').update(bytes).digest('hex'))
  t.equal(await checksumOf(bytes.slice().buffer), `sha256 ${createHash('sha256').update(bytes).digest('base64')}`)
  t.equal(await sha256Of(new Blob([])), createHash('sha256').digest('hex'))
})

test('a large one is not taken into memory for it', async (t) => {
  const large = new Blob([])
  t.intercept(large, 'size', { value: 32 * 1024 ** 2 + 1 })
  t.intercept(large, 'arrayBuffer', { value: () => t.fail('read') })
  t.equal(await sha256Of(large), undefined)
})

test('a file of any size has one of its pieces, which every byte of it changes', async (t) => {
  const pieceBytes = 32 * 1024 ** 2
  const large = new Uint8Array(pieceBytes + 1)
  const digestOf = () => piecesSha256Of(new Blob([large]), undefined)
  const [first, second] = [large.subarray(0, pieceBytes), large.subarray(pieceBytes)].map((piece) => createHash('sha256').update(piece).digest())
  const digest = createHash('sha256').update(first ?? '').update(second ?? '').digest('hex')
  t.equal(await digestOf(), digest)
  for (const at of [0, pieceBytes - 1, pieceBytes]) {
    large[at] = 1
    t.not(await digestOf(), digest, `byte ${at}`)
    large[at] = 0
  }
  await t.rejects(piecesSha256Of(new Blob([large]), AbortSignal.abort(new Error('enough'))), { message: 'enough' })
})

test('where the platform has no digests, none is sent', async (t) => {
  t.intercept(globalThis, 'crypto', { value: {} })
  t.equal(await sha256Of(new Blob([bytes])), undefined)
  t.equal(await piecesSha256Of(new Blob([bytes]), undefined), undefined)
  t.equal(await checksumOf(bytes.slice().buffer), undefined)
})
