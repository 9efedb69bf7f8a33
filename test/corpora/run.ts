// Sends folders of hostile files to a real gateway and says how it bore them. Not part of `npm test`: bring your own corpora.
//
//   node test/corpora/run.ts --bodies DIR --names FILE --files DIR [--files DIR]
//
// --bodies: each file is a raw multipart body; --names: JSON, an array of { hex } with the raw bytes of a filename;
// --files: each file is sent as an avatar and as an attachment. Fails on a 5xx but that of a full queue, an answer slower than three seconds, 400 MiB
// more memory than a gateway at rest, a process that crashed, anything left in staging, or a gateway that is gone.
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { picture } from '../helper.ts'
import { bearer, start } from '../system/gateway.ts'
import { memoryOfFamily, watchFamily } from '../system/process.ts'

/** As long as the largest legal picture may take. */
const maxMs = 3000
const maxGrowthBytes = 400 * 1024 ** 2

type Sent = { readonly corpus: string, readonly name: string, readonly method: 'PUT' | 'POST', readonly path: string, readonly type: string, readonly body: Buffer }

const { values } = parseArgs({ options: { bodies: { type: 'string', multiple: true, default: [] }, names: { type: 'string', multiple: true, default: [] }, files: { type: 'string', multiple: true, default: [] } } })

function filesBelow (folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort()
}

/** The first line that looks like one, as the body itself would have it. */
function boundaryOf (body: Buffer): string {
  return /^--([^\r\n]{1,200})/m.exec(body.toString('latin1'))?.[1]?.replaceAll('"', '') ?? 'boundary'
}

function * bodies (folder: string): Generator<Sent> {
  for (const file of filesBelow(folder)) {
    const body = readFileSync(file)
    yield { corpus: folder, name: file, method: 'POST', path: '/api/attachments', type: `multipart/form-data; boundary="${boundaryOf(body)}"`, body }
  }
}

function * names (file: string): Generator<Sent> {
  const list = JSON.parse(readFileSync(file, 'utf8')) as Array<{ hex: string }>
  for (const { hex } of list) {
    const body = Buffer.concat([Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="'), Buffer.from(hex, 'hex'), Buffer.from('"\r\n\r\nsome text\r\n--b--\r\n')])
    yield { corpus: file, name: hex, method: 'POST', path: '/api/attachments', type: 'multipart/form-data; boundary=b', body }
  }
}

function * files (folder: string): Generator<Sent> {
  for (const file of filesBelow(folder)) {
    const body = readFileSync(file)
    yield { corpus: `${folder} as avatars`, name: file, method: 'PUT', path: '/api/avatars/me', type: 'application/octet-stream', body }
    yield { corpus: `${folder} as attachments`, name: file, method: 'POST', path: '/api/attachments', type: 'application/octet-stream', body }
  }
}

const folder = await mkdtemp(join(tmpdir(), 'upload-gateway-'))
const gateway = await start({ teardown: () => {} }, folder, { AVATAR_MAX_BYTES: String(20 * 1024 ** 2) })
const headers = await bearer('corpus')
const results = new Map<string, { statuses: Map<number, number>, worstMs: number }>()
const failures: string[] = []
// Its processes are there, and have worked.
const some = await picture('png', { width: 400, height: 300 })
await Promise.all(Array.from({ length: 16 }, () => fetch(`${gateway.url}/api/avatars/me`, { method: 'PUT', headers: { ...headers, 'content-type': 'image/png' }, body: new Uint8Array(some) })))
const idleBytes = memoryOfFamily(gateway.pid)
const peakBytes = watchFamily(gateway.pid)

async function send ({ corpus, name, method, path, type, body }: Sent): Promise<void> {
  const startedAt = performance.now()
  const answer = await fetch(gateway.url + path, { method, headers: { ...headers, 'content-type': type }, body: new Uint8Array(body) })
  const text = await answer.text()
  const ms = performance.now() - startedAt
  const result = results.get(corpus) ?? { statuses: new Map(), worstMs: 0 }
  results.set(corpus, result)
  result.statuses.set(answer.status, (result.statuses.get(answer.status) ?? 0) + 1)
  result.worstMs = Math.max(result.worstMs, ms)
  if (answer.status >= 500 && !text.includes('"IMAGES_BUSY"')) failures.push(`${name}: ${answer.status}`)
  if (ms > maxMs) failures.push(`${name}: ${Math.round(ms)} ms`)
}

try {
  for (const corpus of [...values.bodies.map(bodies), ...values.names.map(names), ...values.files.map(files)]) for (const sent of corpus) await send(sent)
  const left = filesBelow(join(folder, 'staging')).filter((file) => !file.endsWith('heartbeat.json'))
  if (left.length > 0) failures.push(`left in staging: ${left.join(', ')}`)
  const grownBytes = peakBytes() - idleBytes
  if (grownBytes > maxGrowthBytes) failures.push(`memory grew by ${Math.round(grownBytes / 1024 ** 2)} MiB`)
  console.log(`memory: ${Math.round(idleBytes / 1024 ** 2)} MiB at rest, ${Math.round(grownBytes / 1024 ** 2)} more at most`)
  failures.push(...gateway.lines.filter((line) => line.includes('JOB_CRASHED')))
  if ((await fetch(`${gateway.url}/health/ready`)).status !== 200) failures.push('the gateway is not ready any more')
} finally {
  await gateway.stop()
  await rm(folder, { recursive: true, force: true })
}

for (const [corpus, { statuses, worstMs }] of results) {
  const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${count} × ${status}`).join(', ')
  console.log(`${corpus}: ${counts}; slowest ${Math.round(worstMs)} ms`)
}
for (const failure of failures) console.error(`FAILED ${failure}`)
process.exitCode = failures.length > 0 ? 1 : 0
