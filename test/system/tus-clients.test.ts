// Clients of tus that others wrote, on a bad line: tus-js-client, tuspy and curl.
import { createHash, randomBytes } from 'node:crypto'
import { access, writeFile } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { Upload, type UploadOptions } from 'tus-js-client'
import { temporaryFolder } from '../helper.ts'
import { audit } from './audit.ts'
import { call, get, json, sha256 } from './client.ts'
import { proxy, type Proxy } from './fixtures/proxy.ts'
import { bearer, start, type Gateway, type Settings } from './gateway.ts'
import { needs, run, until } from './machine.ts'

const mebibyte = 1024 ** 2
const chunkSize = 4 * mebibyte
const sweeping = { SWEEP_INTERVAL_SECONDS: '1', SWEEP_GRACE_SECONDS: '0', SWEEP_MAX_PERCENT: '100' }
const headers = await bearer('ada')
/** At most this much of a request is its head. */
const headBytes = 2048

async function gatewayBehindProxy (t: Test, settings: Settings = {}): Promise<{ gateway: Gateway, line: Proxy, endpoint: string }> {
  const gateway = await start(t, await temporaryFolder(t), { ...sweeping, ...settings })
  const line = await proxy(t, gateway.url)
  return { gateway, line, endpoint: `${line.url}/api/resumable` }
}

/** Uploads to its end. `requests` counts, `result` is what the upload says of itself. */
async function upload (file: Buffer | Readable, options: UploadOptions): Promise<{ url: string, requests: number, results: string[] }> {
  let requests = 0
  const results: string[] = []
  return new Promise((resolve, reject) => {
    const one = new Upload(file, {
      headers,
      chunkSize,
      // Fewer in a row than there are cuts: whatever comes through starts the count anew.
      retryDelays: [20, 50, 100, 500],
      onBeforeRequest: () => { requests += 1 },
      onAfterResponse: (_request, response) => { results.push(response.getHeader('upload-result') ?? '') },
      onError: reject,
      onSuccess: () => resolve({ url: one.url ?? '', requests, results }),
      ...options,
    })
    one.start()
  })
}

/** The one attachment that came of it: its bytes, and that nothing else is left. */
async function isKept (t: Test, gateway: Gateway, bytes: Buffer): Promise<{ id: string, filename: string }> {
  const list = json(await get(gateway, '/api/attachments', 'ada')).attachments
  t.equal(list.length, 1, 'one attachment')
  t.equal(list[0].sha256, sha256(bytes), 'with its sha-256')
  t.equal(sha256((await get(gateway, list[0].url, 'ada')).body), sha256(bytes), 'and its bytes')
  await until('no file is without a row', () => audit(gateway.folder).orphans.length === 0)
  t.same(audit(gateway.folder).broken, [])
  return list[0]
}

for (const [name, options] of [
  ['in chunks', {}],
  ['in one piece', { chunkSize: Infinity }],
  ['with its first bytes as it begins', { uploadDataDuringCreation: true }],
] as Array<[string, UploadOptions]>) {
  t.test(`tus-js-client sends 100 MiB ${name} over a line that is cut 20 times`, { timeout: 120_000 }, async (t) => {
    const { gateway, line, endpoint } = await gatewayBehindProxy(t)
    const bytes = randomBytes(100 * mebibyte)
    line.cutEvery(bytes.length / 21, 20)
    const { requests, results } = await upload(bytes, { endpoint, metadata: { filename: 'long.bin' }, ...options })
    t.equal(line.cuts, 20)
    const sentAgain = line.forwardedBytes - bytes.length - requests * headBytes
    t.ok(sentAgain <= 20 * chunkSize, `at most one chunk was sent again for each cut: ${Math.max(0, sentAgain)} bytes in all, ${requests} requests`)
    const { id, filename } = await isKept(t, gateway, bytes)
    t.equal(filename, 'long.bin')
    t.equal(results.at(-1), `/api/attachments/${id}`, 'the last answer says what has become of it')
  })
}

t.test('tus-js-client in parts that are put together, and with a length that nobody knows, over a line that is cut', { timeout: 120_000 }, async (t) => {
  for (const [name, file, options] of [
    ['four parts at once', (bytes: Buffer) => bytes, { parallelUploads: 4 }],
    ['a stream', (bytes: Buffer) => Readable.from(pieces(bytes)), { uploadLengthDeferred: true }],
  ] as Array<[string, (bytes: Buffer) => Buffer | Readable, UploadOptions]>) {
    const { gateway, line, endpoint } = await gatewayBehindProxy(t)
    const bytes = randomBytes(30 * mebibyte + 17)
    line.cutEvery(3 * mebibyte, 8)
    await upload(file(bytes), { endpoint, metadata: { filename: 'parts.bin' }, ...options })
    t.equal(line.cuts, 8, name)
    await isKept(t, gateway, bytes)
  }
})

function * pieces (bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

t.test('what tus-js-client gives up leaves nothing, and what is finished cannot be taken back by its URL', async (t) => {
  const { gateway, endpoint } = await gatewayBehindProxy(t)
  const bytes = randomBytes(3 * chunkSize)
  await new Promise<void>((resolve, reject) => {
    const one = new Upload(bytes, { endpoint, headers, chunkSize, onError: reject, onChunkComplete: () => { one.abort(true).then(resolve, reject) } })
    one.start()
  })
  t.equal(json(await get(gateway, '/api/attachments', 'ada')).attachments.length, 0)
  await until('nothing of it is on the volume', async () => (await run('find', gateway.folder, '-path', '*/resumable/*', '-type', 'f')) === '')

  const { url } = await upload(bytes, { endpoint })
  await Upload.terminate(url, { headers })
  await isKept(t, gateway, bytes)
})

t.test('tuspy sends in two goes over a line that is cut', { timeout: 60_000 }, async (t) => {
  const python = '/usr/bin/python3'
  const isThere = await access('/usr/lib/python3/dist-packages/tusclient').then(() => true, () => false)
  if (!isThere) throw new Error('This test needs tuspy: apt-get install python3-tuspy')
  const { gateway, line, endpoint } = await gatewayBehindProxy(t)
  const bytes = randomBytes(20 * mebibyte + 5)
  const path = join(await temporaryFolder(t), 'file.bin')
  await writeFile(path, bytes)
  line.cutEvery(3 * mebibyte, 6)
  const script = fileURLToPath(new URL('fixtures/tuspy.py', import.meta.url))
  await promisify(execFile)(python, [script, endpoint, headers.authorization, path, String(2 * mebibyte)])
  t.equal(line.cuts, 6)
  t.equal((await isKept(t, gateway, bytes)).filename, 'from python.bin')
})

t.test('curl, which asks first whether its bytes are wanted, is told before it sends any', async (t) => {
  await needs('curl')
  const { gateway } = await gatewayBehindProxy(t)
  const bytes = randomBytes(8 * mebibyte)
  const path = join(await temporaryFolder(t), 'file.bin')
  await writeFile(path, bytes)
  const tus = ['-H', 'Tus-Resumable: 1.0.0', '-H', 'Content-Type: application/offset+octet-stream']
  const begin = async () => {
    const begun = await call(gateway, '/api/resumable', { method: 'POST', headers: { ...headers, 'tus-resumable': '1.0.0', 'upload-length': bytes.length } })
    return new URL(begun.headers.location ?? '', gateway.url).href
  }
  let url = await begin()
  // Longer than curl's own patience of one second, after which it would send anyway.
  const curl = (method: string, offset: number, token: string, ...args: string[]) =>
    run('curl', '-sS', '--expect100-timeout', '20', '-H', 'Expect: 100-continue', '-H', `Authorization: ${token}`, ...tus, '-H', `Upload-Offset: ${offset}`, '-X', method, '-T', path, '-o', '/dev/null', '-w', '%{http_code} %{size_upload}', ...args, url)

  t.equal(await curl('PATCH', 0, 'Bearer wrong'), '401 0', 'a token that is wrong')
  t.equal(await curl('PATCH', 0, (await bearer('eve')).authorization), '404 0', 'somebody else\'s upload')
  t.equal(await curl('PATCH', 0, headers.authorization, '-H', 'Tus-Resumable: 0.2.2'), '412 0', 'another version')
  t.equal(await curl('POST', 0, headers.authorization, '-H', 'X-HTTP-Method-Override: PATCH', '-H', `Upload-Checksum: sha256 ${createHash('sha256').update(randomBytes(3)).digest('base64')}`), `460 ${bytes.length}`, 'a checksum that is wrong, by another method')
  t.equal(await curl('PATCH', 0, headers.authorization), `204 ${bytes.length}`)

  url = await begin()
  await call(gateway, url, { method: 'PATCH', headers: { ...headers, 'tus-resumable': '1.0.0', 'content-type': 'application/offset+octet-stream', 'upload-offset': 0 }, body: bytes.subarray(0, 1000) })
  t.equal(await curl('PATCH', 0, headers.authorization), '409 0', 'bytes that are there already')
  await isKept(t, gateway, bytes)
})
