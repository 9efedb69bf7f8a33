// A real ClamAV behind a real gateway: what is harmful is never kept, and what cannot be scanned is never kept in silence.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t, { type Test } from 'tap'
import { multipart, picture, temporaryFolder } from '../helper.ts'
import { audit, publishedFiles, staging } from './audit.ts'
import { attachmentIn, call, get, json, noise, postAttachment, putAvatar, sha256, type Answer } from './client.ts'
import { clamd, eicar, signatureName } from './fixtures/clamd.ts'
import { proxy } from './fixtures/proxy.ts'
import { zip } from './fixtures/zip.ts'
import { bearer, start, type Gateway, type Settings } from './gateway.ts'

const infected = { status: 422, body: new RegExp(`${signatureName}.*UPLOAD_INFECTED`) }
const unavailable = { status: 503, body: /SCANNER_UNAVAILABLE/ }
const wait = '2'

async function gatewayFor (t: Test, url: string, settings: Settings = {}): Promise<Gateway> {
  return start(t, await temporaryFolder(t), { CLAMD_URL: url, SCAN_TIMEOUT_SECONDS: wait, ...settings })
}

function rows ({ folder }: Gateway) {
  const connection = new BetterSqlite3(join(folder, 'database', 'gateway.sqlite'), { readonly: true })
  try {
    return connection.prepare('SELECT state, scan, scanSignature FROM Blob ORDER BY id').all()
  } finally {
    connection.close()
  }
}

/** Nothing of it anywhere: no row, no file, nothing in staging. */
function isEmpty (t: Test, gateway: Gateway): void {
  t.same(rows(gateway), [])
  t.same(publishedFiles(gateway.folder), [])
  t.same(staging(gateway.folder).flatMap(({ files }) => files), [])
}

async function postForm (gateway: Gateway, ...files: Buffer[]): Promise<Answer> {
  const { payload, headers } = await multipart(files.map((bytes, index) => ['file', { bytes, filename: `${index}.bin` }]))
  return call(gateway, '/api/attachments', { method: 'POST', headers: { ...headers, ...await bearer('ada') }, body: payload })
}

/** Whether a resumable upload of these bytes ends with an attachment; the answer that says so, and the next one to the same question. */
async function postResumable (gateway: Gateway, bytes: Buffer): Promise<{ finished: Answer, later: Answer }> {
  const headers = { ...await bearer('ada'), 'tus-resumable': '1.0.0' }
  const { headers: { location = '' } } = await call(gateway, '/api/resumable', { method: 'POST', headers: { ...headers, 'upload-length': bytes.length } })
  const finished = await call(gateway, location, { method: 'PATCH', headers: { ...headers, 'upload-offset': 0, 'content-type': 'application/offset+octet-stream' }, body: bytes })
  return { finished, later: await call(gateway, location, { method: 'PATCH', headers: { ...headers, 'upload-offset': bytes.length, 'content-type': 'application/offset+octet-stream' } }) }
}

t.test('what is harmful is refused, however it is packed and whichever way it comes', async (t) => {
  const scanner = await clamd(t)
  const gateway = await gatewayFor(t, scanner.url)
  const photo = await picture('png')
  for (const [name, bytes] of Object.entries({
    'as it is': eicar,
    'in a zip': zip('invoice.txt', eicar),
    'in a zip in a zip': zip('invoice.zip', zip('invoice.txt', eicar)),
    'after a picture': Buffer.concat([photo, eicar]),
    'after 10 MB': Buffer.concat([randomBytes(10e6), eicar]),
  })) {
    t.match(await postAttachment(gateway, 'ada', bytes), infected, `${name}, raw`)
    t.match(await postForm(gateway, randomBytes(1000), bytes), infected, `${name}, in a form after a harmless file`)
    isEmpty(t, gateway)
  }
  t.match(await putAvatar(gateway, 'ada', Buffer.concat([photo, eicar])), infected, 'an avatar')
  isEmpty(t, gateway)
  t.match((await call(gateway, '/metrics')).body.toString(), /scans_total\{outcome="infected"\} 11/)
})

t.test('what is harmful is refused as a resumable upload too, once and for all', async (t) => {
  const scanner = await clamd(t)
  const gateway = await gatewayFor(t, scanner.url)
  const { finished, later } = await postResumable(gateway, Buffer.concat([randomBytes(100_000), eicar]))
  t.match(finished, infected)
  t.match(later, infected, 'it stays so')
  isEmpty(t, gateway)
})

t.test('what is harmless is kept, with what the scanner said and what it knew', async (t) => {
  const scanner = await clamd(t)
  const gateway = await gatewayFor(t, scanner.url)
  const bytes = randomBytes(500_000)
  const kept = attachmentIn(await postAttachment(gateway, 'ada', bytes))
  t.equal(sha256((await get(gateway, kept.url, 'ada')).body), sha256(bytes))
  t.equal((await putAvatar(gateway, 'ada', noise(100_000))).status, 201)
  t.match(rows(gateway), [{ scan: 'clean', scanSignature: /^ClamAV \d/ }, { scan: 'clean', scanSignature: /^ClamAV \d/ }])
})

t.test('a scanner that is stopped, hangs, is slow or takes no more: refused, and as before when it is back', { timeout: 120_000 }, async (t) => {
  const scanner = await clamd(t, { streamMaxLength: 2 * 1024 ** 2 })
  const between = await proxy(t, scanner.url.replace('tcp:', 'http:'))
  const gateway = await gatewayFor(t, between.url.replace('http:', 'tcp:'))
  const isBack = async (after: string) => t.equal((await postAttachment(gateway, 'ada', randomBytes(1000))).status, 201, `it goes on ${after}`)

  await scanner.stop()
  const refused = await postAttachment(gateway, 'ada', randomBytes(1000))
  t.match(refused, unavailable, 'stopped')
  t.ok(Number(refused.headers['retry-after']) > 0, 'and says when to come again')
  t.match(await putAvatar(gateway, 'ada', noise(10_000)), unavailable)
  isEmpty(t, gateway)
  t.equal((await call(gateway, '/health/ready')).status, 200, 'reads and deletes go on without a scanner: the gateway is ready')
  await scanner.start()
  await isBack('when it is started')

  scanner.freeze()
  const since = Date.now()
  const hung = await Promise.all(Array.from({ length: 10 }, () => postAttachment(gateway, 'ada', randomBytes(500_000))))
  for (const answer of hung) t.match(answer, unavailable, 'hung')
  t.ok(Date.now() - since < 3 * Number(wait) * 1000, `ten at once after ${Date.now() - since} ms`)
  scanner.thaw()
  await isBack('when it is thawed')

  between.delayAnswers(1000)
  t.equal((await postAttachment(gateway, 'ada', randomBytes(1000))).status, 201, 'slow, but in time')
  between.delayAnswers(5000)
  t.match(await postAttachment(gateway, 'ada', randomBytes(1000)), unavailable, 'too slow')
  between.delayAnswers(0)
  await isBack('when it is fast again')

  t.match(await postAttachment(gateway, 'ada', Buffer.concat([randomBytes(3 * 1024 ** 2), eicar])), unavailable, 'over its limit')
  await isBack('after that')
  t.equal(audit(gateway.folder).rows.length, 5, 'nothing was kept that was refused')
  t.same(staging(gateway.folder).flatMap(({ files }) => files), [])
})

t.test('what the scanner looks at only in part, and says so, is refused', async (t) => {
  const scanner = await clamd(t, { maxFileSize: 1024 ** 2 })
  const gateway = await gatewayFor(t, scanner.url)
  t.match(await postAttachment(gateway, 'ada', Buffer.concat([randomBytes(2 * 1024 ** 2), eicar])), unavailable)
  isEmpty(t, gateway)
  t.equal((await postAttachment(gateway, 'ada', randomBytes(1000))).status, 201)
})

t.test('a resumable upload waits for the scanner, and is finished when it is back', async (t) => {
  const scanner = await clamd(t)
  const gateway = await gatewayFor(t, scanner.url)
  await scanner.stop()
  const bytes = randomBytes(100_000)
  const headers = { ...await bearer('ada'), 'tus-resumable': '1.0.0' }
  const { headers: { location = '' } } = await call(gateway, '/api/resumable', { method: 'POST', headers: { ...headers, 'upload-length': bytes.length } })
  t.match(await call(gateway, location, { method: 'PATCH', headers: { ...headers, 'upload-offset': 0, 'content-type': 'application/offset+octet-stream' }, body: bytes }), { status: 423, headers: { 'retry-after': '30' } })
  isEmpty(t, gateway)
  await scanner.start()
  t.equal((await call(gateway, location, { method: 'HEAD', headers })).headers['upload-offset'], String(bytes.length))
  const [kept] = json(await get(gateway, '/api/attachments', 'ada')).attachments
  t.equal(kept?.sha256, sha256(bytes))
  t.match(rows(gateway), [{ scan: 'clean' }])
})

t.test('SCAN_FAIL_OPEN: what cannot be scanned is kept and says so, what can be is refused as ever', async (t) => {
  const scanner = await clamd(t)
  const gateway = await gatewayFor(t, scanner.url, { SCAN_FAIL_OPEN: 'true', LOG_LEVEL: 'info' })
  t.match(await postAttachment(gateway, 'ada', eicar), infected)
  scanner.freeze()
  t.equal((await postAttachment(gateway, 'ada', randomBytes(1000))).status, 201, 'hung')
  await scanner.stop()
  t.equal((await postAttachment(gateway, 'ada', randomBytes(1000))).status, 201, 'stopped')
  t.equal((await putAvatar(gateway, 'ada', noise(10_000))).status, 201)
  t.match(rows(gateway), Array.from({ length: 3 }, () => ({ scan: 'unscanned', scanSignature: null })))
  t.match((await call(gateway, '/metrics')).body.toString(), /scans_total\{outcome="unscanned"\} 3/)
  t.ok(gateway.lines.filter((line) => line.includes('unscanned')).length >= 3, 'and the log says so')
})
