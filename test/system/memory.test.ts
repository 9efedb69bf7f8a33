// Memory does not grow with the file: 2 GiB go in and come out in a bounded window.
import { createHash, randomBytes, type Hash } from 'node:crypto'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import t from 'tap'
import { temporaryFolder } from '../helper.ts'
import { attachmentIn, call, postAttachment } from './client.ts'
import { bearer, start, type Gateway } from './gateway.ts'
import { restingRss, watchRss } from './process.ts'

const mebibyte = 1024 ** 2
const size = 2 * 1024 ** 3

/** As many bytes as wanted, each mebibyte another, without holding them. */
function * generated (length: number, hash: Hash): Generator<Buffer> {
  const block = randomBytes(mebibyte)
  for (let at = 0; at < length; at += block.length) {
    const chunk = Buffer.from(block)
    chunk.writeBigUInt64BE(BigInt(at))
    hash.update(chunk)
    yield chunk
  }
}

async function downloaded ({ url }: Gateway, path: string): Promise<{ length: number, sha256: string }> {
  const hash = createHash('sha256')
  let length = 0
  const { promise, resolve, reject } = Promise.withResolvers<{ length: number, sha256: string }>()
  request(new URL(path, url), { headers: await bearer('ada') }, (answer) => {
    answer.on('data', (chunk: Buffer) => {
      hash.update(chunk)
      length += chunk.length
    }).on('error', reject).on('end', () => resolve({ length, sha256: hash.digest('hex') }))
  }).on('error', reject).end()
  return promise
}

t.test('2 GiB are uploaded and downloaded with at most 100 MiB more than at rest', { timeout: 300_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, { ATTACHMENT_MAX_BYTES: String(size) })
  t.equal((await postAttachment(gateway, 'ada', randomBytes(1000))).status, 201)
  const resting = await restingRss(gateway.pid, 3000)
  const within = (name: string, most: number) => {
    const grown = (most - resting) / mebibyte
    t.ok(grown <= 100, `${name}: at most ${grown.toFixed(0)} MiB above ${(resting / mebibyte).toFixed(0)} MiB`)
  }

  for (const headers of [{ 'content-length': size }, { 'transfer-encoding': 'chunked' }]) {
    const hash = createHash('sha256')
    const uploading = watchRss(gateway.pid)
    const startedAt = performance.now()
    const answer = await call(gateway, '/api/attachments', { method: 'POST', headers: { ...await bearer('ada'), 'content-type': 'application/octet-stream', ...headers }, body: Readable.from(generated(size, hash), { highWaterMark: 2 }) })
    within(`upload, ${Object.keys(headers)}, ${((performance.now() - startedAt) / 1000).toFixed(1)} s`, uploading())
    const kept = attachmentIn(answer)
    const sha256 = hash.digest('hex')
    t.match(kept, { size, sha256 })

    const downloading = watchRss(gateway.pid)
    t.same(await downloaded(gateway, kept.url), { length: size, sha256 })
    within('download', downloading())
  }
})
