// Pictures that are made to hurt: each is answered, in time and within bounded memory, and nobody else notices.
import t from 'tap'
import { bombs, damaged, largest, type Hostile } from '../fixtures/hostile.ts'
import { picture, temporaryFolder } from '../helper.ts'
import { staging } from './audit.ts'
import { bearer, start, type Gateway } from './gateway.ts'
import { pause, until } from './machine.ts'
import { childrenCpuMs, memoryOfFamily, watchFamily } from './process.ts'

const mebibyte = 1024 ** 2
const settings = { AVATAR_MAX_BYTES: String(20 * mebibyte) }

type Answer = { readonly status: number, readonly code: string | undefined, readonly body: Buffer }

async function ask (gateway: Gateway, method: string, path: string, user: string, bytes?: Buffer): Promise<Answer> {
  const headers = { ...await bearer(user), ...(bytes !== undefined && { 'content-type': 'application/octet-stream' }) }
  const answer = await fetch(gateway.url + path, { method, headers, signal: AbortSignal.timeout(60_000), ...(bytes !== undefined && { body: new Uint8Array(bytes) }) })
  const body = Buffer.from(await answer.arrayBuffer())
  const { code } = answer.status >= 400 ? JSON.parse(body.toString()) : {}
  return { status: answer.status, code, body }
}

/** As avatar and attachment, and shown in each way. What was asked and answered, in order. */
async function * sendAndShow (gateway: Gateway, { name, bytes }: Hostile): AsyncGenerator<{ what: string, answer: Answer, isShown: boolean }> {
  const user = `user-of-${name}`
  const one = async (method: string, path: string, body?: Buffer) => ({ what: `${name}: ${method} ${path}`, answer: await ask(gateway, method, path, user, body), isShown: method === 'GET' })
  const avatar = await one('PUT', '/api/avatars/me', bytes)
  yield avatar
  if (avatar.answer.status <= 201) yield one('GET', `/api/avatars/${user}?size=256&format=png`)
  const attachment = await one('POST', '/api/attachments', bytes)
  yield attachment
  if (attachment.answer.status !== 201) return
  const [{ url, thumbhash }] = JSON.parse(attachment.answer.body.toString()).attachments
  if (thumbhash === null) return
  for (const query of ['size=640&format=webp&animated=true', 'size=320&format=avif']) yield one('GET', `${url.replace(/content$/, 'preview')}?${query}`)
}

async function collected (...sources: Array<AsyncIterable<Hostile>>): Promise<Hostile[]> {
  const all: Hostile[] = []
  for (const source of sources) for await (const one of source) all.push(one)
  return all
}

async function inParallel<T> (items: readonly T[], count: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items]
  await Promise.all(Array.from({ length: count }, async () => { for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item) }))
}

/** How long health took, in milliseconds, until `over` is aborted. */
async function watchHealth (gateway: Gateway, over: AbortSignal): Promise<number[]> {
  const times = []
  while (!over.aborted) {
    const at = performance.now()
    await (await fetch(`${gateway.url}/health/live`)).arrayBuffer()
    times.push(performance.now() - at)
    await pause(10)
  }
  return times.sort((a, b) => a - b)
}

/** The refusals of what is not to be shown, and of a queue that is full. */
const isRefusal = ({ status, code }: Answer): boolean => (status >= 400 && status < 500) || (status === 503 && code === 'IMAGES_BUSY')

/** Memory of a gateway that has worked on pictures with all its processes, and rests. */
async function memoryAtRest (gateway: Gateway): Promise<number> {
  const some = await picture('png', { width: 400, height: 300 })
  await Promise.all(Array.from({ length: 16 }, (_, index) => ask(gateway, 'PUT', '/api/avatars/me', `user-${index}`, some)))
  return memoryOfFamily(gateway.pid)
}

function complaints (gateway: Gateway): string[] {
  return gateway.lines.filter((line) => /"level":(50|60)|JOB_CRASHED/.test(line) && !line.includes('"code":"IMAGES_BUSY"'))
}

t.test('bombs, the largest there may be and damaged ones, 16 at once: all are answered, in bounded memory', { timeout: 300_000 }, async (t) => {
  const corpus = await collected(bombs(), largest(), damaged({ cuts: 2, flips: 5 }))
  const gateway = await start(t, await temporaryFolder(t), settings)
  const idle = await start(t, await temporaryFolder(t))
  const memoryAlone = memoryOfFamily(gateway.pid)
  const memoryBefore = await memoryAtRest(gateway)
  const memory = watchFamily(gateway.pid)
  const over = new AbortController()
  const health = Promise.all([gateway, idle].map((one) => watchHealth(one, over.signal)))
  const counts = new Map<string, number>()
  const wrong: string[] = []
  await inParallel(corpus, 16, async (hostile) => {
    for await (const { what, answer, isShown } of sendAndShow(gateway, hostile)) {
      const { status, code } = answer
      const outcome = `${isShown ? 'shown' : 'sent'} ${status} ${code ?? ''}`
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
      // What was accepted can be shown.
      const isRight = status < 300 || (isShown ? code === 'IMAGES_BUSY' : isRefusal(answer))
      if (!isRight) wrong.push(`${what}: ${status} ${code}`)
    }
  })
  const memoryMost = memory()
  const grown = (memoryMost - memoryBefore) / mebibyte
  over.abort()
  const [busyMs = [], idleMs = []] = await health
  t.comment(`${corpus.length} pictures: ${[...counts].sort().map(([outcome, count]) => `${count} × ${outcome}`).join(', ')}`)
  t.same(wrong, [])
  t.same(complaints(gateway), [], 'no process crashed')
  t.ok(grown <= 400, `at most ${grown.toFixed(0)} MiB more than at rest`)
  t.comment(`memory: ${[memoryAlone, memoryBefore, memoryMost].map((bytes) => (bytes / mebibyte).toFixed(0)).join(', then at rest ')} MiB at most`)
  const at = (times: number[], share: number) => times[Math.ceil(times.length * share) - 1] ?? 0
  t.comment(`health: ${[0.5, 0.99, 0.999, 1].map((share) => `${share * 100} %: ${at(busyMs, share).toFixed(0)} ms, of an idle gateway ${at(idleMs, share).toFixed(0)}`).join('; ')}`)
  // What it takes longer on the same machine now and then is not the gateway's doing.
  t.ok(at(busyMs, 0.99) - at(idleMs, 0.99) < 50, 'the event loop is free')
  await until('staging is empty', () => staging(gateway.folder).every(({ files }) => files.length === 0))
  t.ok(gateway.isRunning())
})

t.test('one at a time, each is answered in a second of work, and the largest in three', { timeout: 300_000 }, async (t) => {
  const corpus = await collected(bombs(), largest(), damaged({ cuts: 1, flips: 2 }))
  const gateway = await start(t, await temporaryFolder(t), settings)
  async function measured (pictures: typeof corpus) {
    const all: Array<{ hostile: typeof corpus[number], what: string, workMs: number, ms: number }> = []
    for (const hostile of pictures) {
      let before = { work: childrenCpuMs(gateway.pid), at: performance.now() }
      for await (const { what } of sendAndShow(gateway, hostile)) {
        const [work, at] = [childrenCpuMs(gateway.pid), performance.now()]
        all.push({ hostile, what, workMs: (work - before.work) / (hostile.isLegal ? 3 : 1), ms: at - before.at })
        before = { work, at }
      }
    }
    return all
  }
  // Twice as long as an idle machine may take: this one is shared.
  const isSlow = ({ workMs }: { workMs: number }) => workMs > 2000
  const first = await measured(corpus)
  // A second time where the first was slow: what the machine did beside it is not the picture's doing.
  const slow = new Set(first.filter(isSlow).map(({ hostile }) => hostile))
  const all = [...first.filter(({ hostile }) => !slow.has(hostile)), ...await measured([...slow])]
  all.sort((a, b) => b.workMs - a.workMs)
  t.comment(all.slice(0, 12).map(({ what, workMs, ms }) => `${what}: ${workMs} ${Math.round(ms)} ms`).join('\n'))
  t.same(all.filter(isSlow).map(({ what, workMs }) => `${what}: ${workMs}`), [])
})
