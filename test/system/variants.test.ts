// Variants are made once, kept within their budget, and made again when they are lost; what decodes them may be killed at any time.
import { randomInt } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { bombs, largest } from '../fixtures/hostile.ts'
import { drawing } from '../fixtures/photos.ts'
import { temporaryFolder } from '../helper.ts'
import { attachmentIn, call, get, json, postAttachment, sha256 } from './client.ts'
import { bearer, start, type Gateway } from './gateway.ts'
import { pause, until } from './machine.ts'
import { childrenCpuMs, childrenOf } from './process.ts'

const { authorization } = await bearer('ada')
const previewOf = ({ url }: { url: string }): string => url.replace(/content$/, 'preview')
const patient = { idleMs: 90_000 }

/** Also when nobody has asked for its end yet. */
function isGone (pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return true
  }
}

/** Takes a second or more of a process. */
async function heavy (): Promise<Buffer> {
  for await (const { name, bytes } of largest()) if (name === '40-megapixels-interlaced.png') return bytes
  throw new Error('there is no such picture')
}

async function post (gateway: Gateway, bytes: Buffer) {
  return call(gateway, '/api/attachments?visibility=public', { method: 'POST', headers: { ...await bearer('ada'), 'content-type': 'application/octet-stream' }, body: bytes, ...patient })
}

const big = await heavy()

t.test('1 000 who ask for one variant at once get it from one decoding', { timeout: 180_000 }, async (t) => {
  const gateway = await start(t, await temporaryFolder(t), { IMAGE_PROCESSES: '4' })
  const query = '?size=640&format=webp'
  const [alone, crowded] = [attachmentIn(await post(gateway, big)), attachmentIn(await post(gateway, big))]
  // All processes are there already: what it takes to start one is not counted.
  await Promise.all([320, 800, 1280].map((size) => call(gateway, `${previewOf(alone)}?size=${size}&format=png`)))

  const before = childrenCpuMs(gateway.pid)
  t.equal((await call(gateway, previewOf(alone) + query)).status, 200)
  const once = childrenCpuMs(gateway.pid) - before
  const answers = await Promise.all(Array.from({ length: 1000 }, () => call(gateway, previewOf(crowded) + query)))
  const all = childrenCpuMs(gateway.pid) - before - once

  t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.equal(new Set(answers.map(({ body, headers }) => `${headers.etag} ${sha256(body)}`)).size, 1)
  t.ok(all < once * 1.8 + 100, `${all} ms of work for all, ${once} ms for one`)
})

t.test('the cache keeps to its budget under a random load, and its loss is not noticed', { timeout: 120_000 }, async (t) => {
  const maxBytes = 400_000
  const gateway = await start(t, await temporaryFolder(t), { CACHE_MAX_BYTES: String(maxBytes) })
  const folder = join(gateway.folder, 'cache')
  const previews = await Promise.all(Array.from({ length: 20 }, async (_, index) => previewOf(attachmentIn(await post(gateway, await drawing(700 + index, 500).removeAlpha().jpeg().toBuffer())))))
  const known = new Map<string, string>()
  const wrong: string[] = []
  let most = 0
  let asked = 0
  const until = Date.now() + 15_000
  const reader = async () => {
    while (Date.now() < until) {
      const path = `${previews[randomInt(previews.length)]}?size=${[320, 640][randomInt(2)]}&format=${['avif', 'webp', 'jpeg', 'png'][randomInt(4)]}`
      const { status, body } = await call(gateway, path)
      asked += 1
      if (status !== 200 || (known.get(path) ?? sha256(body)) !== sha256(body)) wrong.push(`${path}: ${status}`)
      known.set(path, sha256(body))
    }
  }
  const watcher = async () => {
    for (let turn = 0; Date.now() < until; turn += 1) {
      most = Math.max(most, bytesBelow(folder))
      // Not before it is full.
      if (turn > 150 && turn % 30 === 0) await rm(folder, { recursive: true, force: true })
      await pause(50)
    }
  }
  await Promise.all([...Array.from({ length: 8 }, reader), watcher()])
  t.same(wrong, [])
  // Eight are being written while others are still being removed; and folders, which are counted in, are not seen here.
  t.ok(most > maxBytes / 3 && most < maxBytes + 8 * 30_000, `${most} bytes at most, ${known.size} variants, asked for ${asked} times`)
  t.ok(known.size > 50)
  t.notOk(gateway.lines.some((line) => /"level":(50|60)/.test(line)))
})

/** What files take of the disk: whole blocks. */
function bytesBelow (folder: string): number {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).reduce((sum, entry) => {
      try {
        return sum + statSync(join(entry.parentPath, entry.name)).blocks * 512
      } catch {
        return sum
      }
    }, 0)
  } catch {
    return 0
  }
}

t.test('a process killed in the middle of its job costs a moment, as the job is done once more', { timeout: 120_000 }, async (t) => {
  const gateway = await start(t, await temporaryFolder(t), { IMAGE_PROCESSES: '1' })
  const kept = attachmentIn(await post(gateway, big))
  for (const [what, send] of [
    ['an upload', () => call(gateway, '/api/avatars/me', { method: 'PUT', headers: { authorization, 'content-type': 'image/png' }, body: big, ...patient })],
    ['a variant', () => call(gateway, `${previewOf(kept)}?size=640&format=jpeg`, patient)],
  ] as const) {
    const [child = 0] = childrenOf(gateway.pid)
    const work = childrenCpuMs(gateway.pid)
    const answer = send()
    await until('it works', () => childrenCpuMs(gateway.pid) > work + 200)
    process.kill(child, 'SIGKILL')
    const { status } = await answer
    t.ok(status === 200 || status === 201, `${what}: ${status}`)
    t.ok(isGone(child))
  }
  t.equal((await get(gateway, kept.url, 'ada')).status, 200)
})

t.test('a stop, and a kill, leave no process behind, also in the middle of a job', { timeout: 120_000 }, async (t) => {
  for (const how of ['stop', 'kill'] as const) {
    const gateway = await start(t, await temporaryFolder(t), { IMAGE_PROCESSES: '2' })
    const small = attachmentIn(await postAttachment(gateway, 'ada', await drawing(300, 200).png().toBuffer()))
    const answers = [post(gateway, big), post(gateway, big), get(gateway, `${previewOf(small)}?size=320`, 'ada')].map((answer) => answer.then(({ status }) => status, (error: NodeJS.ErrnoException) => error.code))
    await until('two work', () => childrenOf(gateway.pid).length === 2)
    const children = childrenOf(gateway.pid)
    const { code } = await gateway[how]()
    if (how === 'stop') t.equal(code, 0)
    await until('all are gone', () => children.every(isGone))
    t.comment(`${how}: ${await Promise.all(answers)}`)
  }
})

t.test('bombs as previews of attachments that are kept as they are cost nothing either', async (t) => {
  const gateway = await start(t, await temporaryFolder(t))
  const service = await bearer('billing', 'uploads:service')
  for await (const { name, bytes } of bombs()) {
    if (bytes.length === 0) continue
    const answer = await call(gateway, '/api/attachments?ownerId=ada', { method: 'POST', headers: { ...service, 'content-type': 'application/octet-stream' }, body: bytes })
    t.equal(answer.status, 201, name)
    const preview = await get(gateway, `${previewOf(json(answer).attachments[0])}?size=320&format=webp`, 'ada')
    t.ok(preview.status === 200 || preview.status === 404, `${name}: ${preview.status}`)
  }
})
