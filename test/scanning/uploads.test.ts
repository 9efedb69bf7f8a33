// A gateway beside a scanner: what is refused, what is kept, and what is said of it.
import sharp from 'sharp'
import { test, type Test } from 'tap'
import { decodeSidecar } from '../../src/storage/sidecar.ts'
import { build, multipart, picture, type Gateway } from '../helper.ts'
import { eventually } from '../transfer/fixtures/upload-server.ts'
import { daemon, eicar, version, type Behaviour } from './fixtures/daemon.ts'

async function setUp (t: Test, behaviour: Behaviour = {}, settings: Record<string, string> = {}) {
  const scanner = await daemon(t, behaviour)
  const gateway = await build(t, { CLAMD_URL: scanner.url, COMPAT_ANONYMOUS_AVATARS: 'true', ...settings })
  return { ...gateway, scanner, ada: await gateway.as('ada') }
}

const infected = Buffer.concat([Buffer.from('before '), Buffer.from(eicar)])

async function rows ({ app }: Pick<Gateway, 'app'>) {
  const found = await app.database.client.blob.findMany({ select: { scan: true, scanSignature: true }, orderBy: { createdAt: 'asc' } })
  return found
}

async function sidecars ({ files, read }: Pick<Gateway, 'files' | 'read'>) {
  const paths = (await files()).filter((path) => path.endsWith('.json') && /^(avatars|attachments)\//.test(path))
  return Promise.all(paths.map(async (path) => decodeSidecar(await read(path))))
}

/** Nothing but what a volume has anyway. */
const isEmpty = async ({ files }: Pick<Gateway, 'files'>) => (await files()).every((path) => /^(upload-gateway|database|staging\/[^/]+\/heartbeat)\.json$/.test(path))

/** Each way in which a file gets here, with these bytes. */
async function everyWay (gateway: Gateway, ada: Record<string, string>, bytes: Buffer) {
  const form = await multipart([['file', { bytes, filename: 'a.bin' }]])
  const requests = [
    { method: 'POST', url: '/api/attachments', headers: { ...ada, 'content-type': 'application/octet-stream' }, payload: bytes },
    { method: 'POST', url: '/api/attachments', headers: { ...ada, ...form.headers }, payload: form.payload },
    { method: 'PUT', url: '/api/avatars/me', headers: { ...ada, 'content-type': 'image/png' }, payload: bytes },
    { method: 'PUT', url: '/api/auth/avatar', headers: { ...ada, ...form.headers }, payload: form.payload },
    { method: 'POST', url: '/api/upload/avatar', headers: { ...ada, ...form.headers }, payload: form.payload },
    { method: 'POST', url: '/api/upload/avatar', headers: form.headers, payload: form.payload },
  ] as const
  return Promise.all(requests.map((request) => gateway.app.inject(request)))
}

test('what is clean is kept, and it is said which signatures found nothing', async (t) => {
  const gateway = await setUp(t)
  const answers = await everyWay(gateway, gateway.ada, await picture('png'))
  t.ok(answers.every(({ statusCode }) => statusCode === 200 || statusCode === 201))
  t.match(answers[0]?.json(), { attachments: [{ scan: 'clean' }] })
  t.match(answers[2]?.json(), { scan: 'clean' })
  t.same(await rows(gateway), Array(6).fill({ scan: 'clean', scanSignature: version }))
  t.match(await sidecars(gateway), Array(6).fill({ scan: 'clean', scanSignature: version }))
  const { id } = answers[0]?.json().attachments[0]
  t.match((await gateway.app.inject({ url: `/api/attachments/${id}`, headers: gateway.ada })).json(), { scan: 'clean' })
  t.match((await gateway.app.inject('/metrics')).body, 'scans_total{outcome="clean"} 6')
})

test('what is harmful is refused, whichever way it comes, and nothing of it is kept', async (t) => {
  const gateway = await setUp(t)
  const png = await picture('png')
  const answers = await everyWay(gateway, gateway.ada, Buffer.concat([png, infected]))
  t.same(answers.map(({ statusCode }) => statusCode), Array(6).fill(422))
  for (const answer of answers) t.match(answer.json(), { code: 'UPLOAD_INFECTED' })
  t.match(answers[0]?.json().detail, /Eicar-Test-Signature/)
  t.ok(await isEmpty(gateway), `${await gateway.files()}`)
  t.same(await rows(gateway), [])
  t.match((await gateway.app.inject('/metrics')).body, 'scans_total{outcome="infected"} 6')
})

test('one harmful file of several keeps the others out', async (t) => {
  const gateway = await setUp(t)
  const form = await multipart([['file', { bytes: 'harmless', filename: 'a' }], ['file', { bytes: infected, filename: 'b' }], ['file', { bytes: 'harmless too', filename: 'c' }]])
  const answer = await gateway.app.inject({ method: 'POST', url: '/api/attachments', headers: { ...gateway.ada, ...form.headers }, payload: form.payload })
  t.match(answer, { statusCode: 422 })
  t.match(answer.json(), { code: 'UPLOAD_INFECTED' })
  t.ok(await isEmpty(gateway))
  t.same(await rows(gateway), [])
  t.equal(gateway.scanner.seen.length, 3)
})

test('what is no picture is refused before anybody scans it', async (t) => {
  const gateway = await setUp(t)
  const answer = await gateway.app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...gateway.ada, 'content-type': 'text/plain' }, payload: 'text' })
  t.match(answer.json(), { code: 'UPLOAD_TYPE_REJECTED' })
  t.same(gateway.scanner.seen, [])
})

test('the bytes are scanned as they came, with all that is taken out of them later', async (t) => {
  const gateway = await setUp(t)
  const photo = await sharp({ create: { width: 40, height: 30, channels: 3, background: 'red' } }).withExif({ IFD0: { Copyright: 'of someone' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '48/1 12/1 0/1' } }).jpeg().toBuffer()
  const answer = await gateway.app.inject({ method: 'POST', url: '/api/attachments', headers: { ...gateway.ada, 'content-type': 'image/jpeg' }, payload: photo })
  t.equal(answer.statusCode, 201)
  t.ok(answer.json().attachments[0].metadataRemoved.length > 0)
  t.ok(gateway.scanner.seen[0]?.equals(photo))
})

test('another part of the same picture is not scanned again, and keeps what was said of it', async (t) => {
  const gateway = await setUp(t)
  const { app, ada, scanner } = gateway
  await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...ada, 'content-type': 'image/png' }, payload: await picture('png') })
  await scanner.close()
  const cropped = await app.inject({ method: 'PATCH', url: '/api/avatars/me', headers: ada, payload: { crop: '0,0,0.5,0.5' } })
  t.match(cropped, { statusCode: 200 })
  t.match(cropped.json(), { scan: 'clean' })
  t.same(await rows(gateway), Array(2).fill({ scan: 'clean', scanSignature: version }))
  t.match(await sidecars(gateway), Array(2).fill({ scan: 'clean', scanSignature: version }))
})

const failures: Array<[what: string, behaviour: Behaviour]> = [
  ['hung', { isHung: true }],
  ['silent', { answer: () => undefined }],
  ['over its limit', { answer: () => 'INSTREAM size limit exceeded. ERROR' }],
  ['over a limit it only hints at', { answer: () => 'stream: Heuristics.Limits.Exceeded.MaxScanSize FOUND' }],
  ['failing', { answer: () => 'stream: Can\'t open file or directory ERROR' }],
  ['closing', { onData: (socket) => { socket.destroy() } }],
]

test('a scanner that is down, hung or over its limit refuses all, for now, and the gateway stays ready', async (t) => {
  await Promise.all(failures.map(async ([what, behaviour]) => {
    const gateway = await setUp(t, behaviour, { SCAN_TIMEOUT_SECONDS: '1' })
    const answer = await gateway.app.inject({ method: 'POST', url: '/api/attachments', headers: { ...gateway.ada, 'content-type': 'text/plain' }, payload: 'text' })
    t.match(answer, { statusCode: 503, headers: { 'retry-after': /^\d+$/ } }, what)
    t.match(answer.json(), { code: 'SCANNER_UNAVAILABLE' })
    t.ok(await isEmpty(gateway), `${what}: ${await gateway.files()}`)
    t.same(await rows(gateway), [])
    t.equal((await gateway.app.inject('/health/ready')).statusCode, 200)
    t.match((await gateway.app.inject('/metrics')).body, 'scans_total{outcome="refused"} 1')
    t.ok(await eventually(() => what === 'hung' || gateway.scanner.open() === 0), 'no connection stays open')
  }))
  const gateway = await setUp(t)
  await gateway.scanner.close()
  const answers = await everyWay(gateway, gateway.ada, await picture('png'))
  t.same(answers.map(({ statusCode }) => statusCode), Array(6).fill(503))
  t.ok(await isEmpty(gateway))
})

test('with SCAN_FAIL_OPEN what cannot be scanned is kept, and marked wherever it is told of', async (t) => {
  await Promise.all(failures.map(async ([what, behaviour]) => {
    const gateway = await setUp(t, behaviour, { SCAN_TIMEOUT_SECONDS: '1', SCAN_FAIL_OPEN: 'true' })
    const answer = await gateway.app.inject({ method: 'POST', url: '/api/attachments', headers: { ...gateway.ada, 'content-type': 'text/plain' }, payload: 'text' })
    t.match(answer, { statusCode: 201 }, what)
    t.match(answer.json(), { attachments: [{ scan: 'unscanned' }] })
    t.same(await rows(gateway), [{ scan: 'unscanned', scanSignature: null }])
    t.match(await sidecars(gateway), [{ scan: 'unscanned', scanSignature: null }])
    t.match((await gateway.app.inject('/metrics')).body, 'scans_total{outcome="unscanned"} 1')
  }))
  const gateway = await setUp(t, {}, { SCAN_FAIL_OPEN: 'true' })
  const harmful = await gateway.app.inject({ method: 'POST', url: '/api/attachments', headers: { ...gateway.ada, 'content-type': 'text/plain' }, payload: infected })
  t.match(harmful.json(), { code: 'UPLOAD_INFECTED' }, 'and what is known to be harmful is not')
})

test('without a scanner nothing is said of it', async (t) => {
  const gateway = await build(t)
  const ada = await gateway.as('ada')
  const answer = await gateway.app.inject({ method: 'POST', url: '/api/attachments', headers: { ...ada, 'content-type': 'text/plain' }, payload: infected })
  t.match(answer.json(), { attachments: [{ scan: null }] })
  t.same(await rows(gateway), [{ scan: null, scanSignature: null }])
})
