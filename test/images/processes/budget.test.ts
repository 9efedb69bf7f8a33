import { setTimeout as after } from 'node:timers/promises'
import { test } from 'tap'
import { createBudget, type Line, type LineOptions, type Turn } from '../../../src/images/processes/budget.ts'

const limits = { places: 4, bytes: 100, maxWaiting: 8, headStartMs: 2000, waitMs: 5000 }

/** Takes turns by name, and tells in which order they started. */
function recorded (options: Partial<typeof limits> = {}) {
  const { places, bytes, maxWaiting, headStartMs, waitMs } = { ...limits, ...options }
  const lines: Record<Line, LineOptions> = { upload: { maxWaiting, headStartMs }, variant: { maxWaiting, headStartMs: 0 }, drawing: { maxWaiting: 1, headStartMs: 0 } }
  const budget = createBudget({ places, bytes, lines, waitMs })
  const started: string[] = []
  const take = async (name: string, turn: Partial<Turn> = {}) => {
    const release = await budget.take({ weight: 1, line: 'variant', ...turn })
    started.push(name)
    return release
  }
  return { budget, started, take }
}

test('what fits starts at once; the rest in the order it came', async (t) => {
  const { started, take } = recorded({ places: 1 })
  const release = await take('a')
  const b = take('b')
  const c = take('c')
  await after(1)
  t.strictSame(started, ['a'])
  release()
  await b.then((release) => release())
  await c
  t.strictSame(started, ['a', 'b', 'c'])
})

test('work waits until enough bytes are free, and small work does not overtake large', async (t) => {
  const { started, take } = recorded()
  const release = await take('half', { weight: 50 })
  const large = take('large', { weight: 60 })
  const small = take('small', { weight: 1 })
  await after(1)
  t.strictSame(started, ['half'])
  release()
  await Promise.all([large, small])
  t.strictSame(started, ['half', 'large', 'small'])
})

test('what weighs more than there is runs alone', async (t) => {
  const { started, take } = recorded()
  const release = await take('small')
  const huge = take('huge', { weight: 1e12 })
  await after(1)
  t.strictSame(started, ['small'])
  release()
  const releaseHuge = await huge
  const next = take('next')
  await after(1)
  t.strictSame(started, ['small', 'huge'])
  releaseHuge()
  await next
})

test('who has a head start goes before those that came within it, and no further; among equals who came first', async (t) => {
  const { started, take } = recorded({ places: 1, headStartMs: 30 })
  const release = await take('running')
  const upload = async (name: string) => (await take(name, { line: 'upload' }))()
  const variant = async (name: string) => (await take(name))()
  const all = [variant('variant 1'), upload('upload 1'), variant('variant 2'), upload('upload 2')]
  await after(40)
  all.push(upload('upload 3'), variant('variant 3'))
  release()
  await Promise.all(all)
  t.strictSame(started, ['running', 'upload 1', 'upload 2', 'variant 1', 'variant 2', 'upload 3', 'variant 3'])
})

test('under a steady stream of uploads a variant starts within about their head start', async (t) => {
  const headStartMs = 100
  const { take } = recorded({ places: 1, maxWaiting: 100, headStartMs })
  let isStreaming = true
  let waiting = 0
  let mostWaiting = 0
  const uploads: Array<Promise<void>> = []
  const upload = async () => {
    mostWaiting = Math.max(mostWaiting, ++waiting)
    const release = await take('upload', { line: 'upload' })
    waiting--
    await after(2)
    release()
    if (isStreaming) uploads.push(upload())
  }
  // There is always one that waits.
  for (let count = 0; count < 5; count++) uploads.push(upload())
  const cameAt = performance.now()
  const release = await take('variant')
  const waited = performance.now() - cameAt
  isStreaming = false
  release()
  t.ok(waited >= headStartMs * 0.9, `${waited} ms: uploads go first`)
  t.ok(waited < headStartMs * 3, `${waited} ms: but not for ever`)
  t.ok(mostWaiting > 1, 'uploads waited all the time')
  await Promise.all(uploads)
})

test('a full queue refuses, and tells when to come again', async (t) => {
  const { take } = recorded({ places: 1, maxWaiting: 1 })
  const release = await take('running')
  const waiting = take('waiting')
  await t.rejects(take('too many'), { code: 'IMAGES_BUSY', statusCode: 503, headers: { 'Retry-After': '1' } })
  release()
  await waiting
})

test('a full line refuses those who come to it, and nobody of another line', async (t) => {
  const { started, take } = recorded({ places: 1, maxWaiting: 2 })
  const release = await take('running')
  const lines = ['drawing', 'variant', 'upload', 'variant', 'upload'] as const
  const all = lines.map(async (line) => (await take(line, { line }))())
  for (const line of ['upload', 'variant', 'drawing'] as const) await t.rejects(take(line, { line }), { code: 'IMAGES_BUSY' }, line)
  release()
  await Promise.all(all)
  t.strictSame(started, ['running', 'upload', 'upload', 'drawing', 'variant', 'variant'])
})

test('also where all wait for too long, variants get their turns', async (t) => {
  const { started, take } = recorded({ places: 1, maxWaiting: 100, headStartMs: 60, waitMs: 100 })
  const work = async (line: Line) => {
    const release = await take(line, { line })
    await after(10)
    release()
  }
  const refused: string[] = []
  const all: Array<Promise<void>> = []
  const come = (line: Line) => all.push(work(line).catch(({ code }) => { refused.push(code) }))
  // Three times as much as can be done, half of it variants.
  for (const end = performance.now() + 500; performance.now() < end; await after(7)) {
    come('upload')
    come('variant')
  }
  await Promise.all(all)
  t.ok(refused.length > all.length / 3, `${refused.length} of ${all.length} are refused`)
  t.strictSame(new Set(refused), new Set(['IMAGES_BUSY']))
  for (const line of ['upload', 'variant']) t.ok(started.filter((name) => name === line).length > started.length / 6, `${line} among ${started}`)
})

test('small work that goes before large work that does not fit starts at once', async (t) => {
  const { started, take } = recorded()
  const release = await take('half', { weight: 50 })
  const large = take('large', { weight: 60 })
  await take('small', { line: 'upload' })
  t.strictSame(started, ['half', 'small'])
  release()
  await large
})

test('what waits and what is free can be asked', async (t) => {
  const { budget, take } = recorded({ places: 1 })
  t.match(budget, { waiting: 0, freeBytes: 100 })
  const release = await take('running', { weight: 30 })
  const next = take('next')
  t.match(budget, { waiting: 1, freeBytes: 70 })
  release()
  await next
  t.match(budget, { waiting: 0, freeBytes: 99 })
})

test('who has waited long enough is refused, and does not hold up those behind', async (t) => {
  const { started, take } = recorded({ waitMs: 30 })
  const release = await take('half', { weight: 50 })
  const large = t.rejects(take('large', { weight: 60 }), { code: 'IMAGES_BUSY' })
  await after(15)
  const small = take('small')
  await large
  await small
  t.strictSame(started, ['half', 'small'])
  release()
})

test('closed, it refuses those who wait and those who come', async (t) => {
  const { budget, take } = recorded({ places: 1 })
  const release = await take('running')
  const waiting = [take('a'), take('b')]
  budget.close(new Error('stopping'))
  for (const refused of waiting) await t.rejects(refused, { message: 'stopping' })
  await t.rejects(take('c'), { message: 'stopping' })
  release()
})

test('under a random load the bytes and places are never exceeded, and everything gets its turn', async (t) => {
  const { take } = recorded({ maxWaiting: 1000, headStartMs: 1 })
  let running = 0
  let bytes = 0
  let mostRunning = 0
  let mostBytes = 0
  await Promise.all(Array.from({ length: 500 }, async (_, index) => {
    const weight = (index * 37) % 90 + 1
    const release = await take('', { weight, line: index % 2 === 0 ? 'variant' : 'upload' })
    mostRunning = Math.max(mostRunning, ++running)
    mostBytes = Math.max(mostBytes, bytes += weight)
    await after(index % 3)
    running--
    bytes -= weight
    release()
  }))
  t.ok(mostRunning <= 4 && mostRunning > 1, `${mostRunning} at once`)
  t.ok(mostBytes <= 100 && mostBytes > 50, `${mostBytes} bytes at once`)
})
