// A stop that lets uploads in flight finish, and no longer waits than it was told to.
import { randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { temporaryFolder } from '../helper.ts'
import { staging } from './audit.ts'
import { attachmentIn, call, get, sha256 } from './client.ts'
import { bearer, start, type Gateway } from './gateway.ts'
import { pause, until } from './machine.ts'

const mebibyte = 1024 ** 2

/** An upload of which `first` is on the way, and the rest when `finish` is called. */
async function slowUpload (gateway: Gateway, bytes: Buffer) {
  const body = new PassThrough()
  const answer = call(gateway, '/api/attachments', { method: 'POST', headers: { ...await bearer('ada'), 'content-type': 'application/octet-stream' }, body })
  answer.catch(() => {})
  body.write(bytes.subarray(0, mebibyte))
  return { bytes, answer, finish: () => body.end(bytes.subarray(mebibyte)) }
}

t.test('uploads in flight are finished, new requests refused, and another gateway can start', async (t) => {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder)
  const uploads = await Promise.all(Array.from({ length: 5 }, () => slowUpload(gateway, randomBytes(2 * mebibyte))))
  await until('all are in staging', () => staging(folder)[0]?.files.length === uploads.length)

  const stopped = gateway.stop()
  await until('it stops', () => gateway.lines.some((line) => line.includes('Stopping on SIGTERM')))
  const refused = await call(gateway, '/api/limits').then(({ status }) => status, (error) => error.code)
  t.ok(refused === 503 || refused === 'ECONNREFUSED', `a new request: ${refused}`)
  await pause(500)
  t.ok(gateway.isRunning(), 'it waits')

  for (const { finish } of uploads) finish()
  const kept = await Promise.all(uploads.map(async ({ answer, bytes }) => ({ bytes, answer: await answer })))
  for (const { answer, bytes } of kept) t.match({ status: answer.status, sha256: attachmentIn(answer).sha256 }, { status: 201, sha256: sha256(bytes) })
  t.same(await stopped, { code: 0, signal: null })
  t.same(staging(folder), [], 'its staging is gone')

  const next = await start(t, folder)
  for (const { answer, bytes } of kept) t.equal(sha256((await get(next, attachmentIn(answer).url, 'ada')).body), sha256(bytes))
})

t.test('an upload that outlasts SHUTDOWN_GRACE_SECONDS is given up, and leaves nothing', async (t) => {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, { SHUTDOWN_GRACE_SECONDS: '2' })
  const { answer } = await slowUpload(gateway, randomBytes(2 * mebibyte))
  await until('it is in staging', () => staging(folder)[0]?.files.length === 1)
  const before = Date.now()
  const { code } = await gateway.stop()
  t.not(code, null, 'it ended by itself')
  t.ok(Date.now() - before < 6000, `after ${Date.now() - before} ms`)
  await t.rejects(answer)

  const next = await start(t, folder)
  t.same(staging(folder).map(({ pid, files }) => ({ pid, files })), [{ pid: next.pid, files: [] }])
})
