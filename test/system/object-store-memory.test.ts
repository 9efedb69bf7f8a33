// Memory does not grow with what is on its way to an object store: twenty uploads at once, each larger than what is held of it.
//   UPLOAD_MEBIBYTES=1024 npm run test:system -- --timeout=7200 test/system/object-store-memory.test.ts   (20 × 1 GiB to each store instead of 20 × 64 MiB; 50 GiB of disk)
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { test, type Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { attachmentIn, call, postAttachment, type Answer } from './client.ts'
import { azurite } from './fixtures/azurite.ts'
import { ceph } from './fixtures/ceph.ts'
import { bearer, start } from './gateway.ts'
import { restingRss, watchRss } from './process.ts'

const mebibyte = 1024 ** 2
const mebibytes = Number(process.env['UPLOAD_MEBIBYTES'] ?? 64)
const size = mebibytes * mebibyte
const count = 20
const mostAboveIdle = 250 * mebibyte
const timeout = mebibytes > 64 ? 3_600_000 : 600_000

/** Each upload begins with its own number, and is the same otherwise. */
const block = randomBytes(mebibyte)

function * generated (number: number): Generator<Buffer> {
  for (let at = 0; at < size; at += block.length) {
    if (at > 0) yield block
    else {
      const first = Buffer.from(block)
      first.writeUInt32BE(number)
      yield first
    }
  }
}

function sha256Of (number: number): string {
  const hash = createHash('sha256')
  for (const chunk of generated(number)) hash.update(chunk)
  return hash.digest('hex')
}

async function staysSmall (t: Test, settings: Record<string, string>): Promise<void> {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, { ...settings, ATTACHMENT_MAX_BYTES: String(size), QUOTA_BYTES: '0', UPLOAD_MIN_BYTES_PER_SECOND: '0', UPLOAD_IDLE_SECONDS: '600' })
  t.equal((await postAttachment(gateway, 'ada', randomBytes(1000))).status, 201)
  const resting = await restingRss(gateway.pid, 3000)

  const watching = watchRss(gateway.pid)
  const startedAt = performance.now()
  const headers = { ...await bearer('ada'), 'content-type': 'application/octet-stream', 'content-length': size }
  const answers = await Promise.all(Array.from({ length: count }, (_, number): Promise<Answer> =>
    call(gateway, '/api/attachments', { method: 'POST', headers, idleMs: timeout, body: Readable.from(generated(number), { highWaterMark: 2 }) })))
  const grown = watching() - resting
  const seconds = (performance.now() - startedAt) / 1000

  t.strictSame(answers.map((answer) => attachmentIn(answer).sha256), Array.from({ length: count }, (_, number) => sha256Of(number)), `all are kept as they were sent, ${(count * mebibytes / seconds).toFixed(0)} MiB a second`)
  t.ok(grown < mostAboveIdle, `at most ${(grown / mebibyte).toFixed(0)} MiB above ${(resting / mebibyte).toFixed(0)} MiB`)
}

test(`${count} × ${mebibytes} MiB are streamed to S3 at once with less than 250 MiB more than at rest`, { timeout }, async (t) => {
  const store = await ceph(t, { store: mebibytes > 64 ? 'bluestore' : 'memstore' })
  await store.makeBucket('memory')
  await staysSmall(t, { STORAGE_URL: 's3://memory/uploads', ...store.environment })
})

test(`${count} × ${mebibytes} MiB are streamed to Azure Blob Storage at once with less than 250 MiB more than at rest`, { timeout }, async (t) => {
  const store = await azurite(t)
  await store.makeContainer('memory')
  await staysSmall(t, { STORAGE_URL: 'azblob://memory/uploads', ...store.environment })
})
