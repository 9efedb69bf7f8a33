import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import sharp from 'sharp'
import { test, type Test } from 'tap'
import { ImagesBusy, StorageUnavailable } from '../../src/errors.ts'
import type { CachedVariant as Entry } from '../../src/images/cache/cache.ts'
import { blobFolder } from '../../src/images/cache/layout.ts'
import { jobs } from '../../src/images/jobs.ts'
import { maxAnimatedPixelsOut } from '../../src/images/limits.ts'
import { pixelBytes, weightOf, weightOfFile, weightOfOutput } from '../../src/images/processes/weight.ts'
import type { VariantSpec } from '../../src/images/spec.ts'
import type { Rendered } from '../../src/images/types.ts'
import { createVariants, type VariantSource } from '../../src/images/variants.ts'
import { newBlobId, type BlobId } from '../../src/storage/ids.ts'
import { heif } from '../fixtures/heif.ts'
import { picture, temporaryFolder } from '../helper.ts'
import { setUp as setUpCache, written } from './cache/fixtures/cache.ts'

const spec: VariantSpec = { shape: 'square', size: 64, format: 'webp', isAnimated: false }
const sizes = (count: number): VariantSpec[] => Array.from({ length: count }, (_, index) => ({ ...spec, size: index + 1 }))

const entryOf = ({ bytes, ...facts }: Rendered): Entry => ({
  ...facts,
  size: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
  read: async ({ start, end } = { start: 0, end: bytes.length - 1 }) => Readable.from([bytes.subarray(start, end + 1)]),
})

/** As the cache does: what is not wanted any more when it is put does not stay. */
function cacheDouble ({ lookUp = async () => {}, onPut = async () => {}, inMemory = false }: { lookUp?: () => Promise<void>, onPut?: () => Promise<void>, inMemory?: boolean } = {}) {
  const kept = new Map<string, Entry>()
  const puts: string[] = []
  return {
    kept, puts,
    remembered: (blobId: BlobId, name: string) => inMemory ? kept.get(`${blobId}/${name}`) : undefined,
    lookUps: 0,
    async get (blobId: BlobId, name: string) {
      this.lookUps++
      await lookUp()
      return kept.get(`${blobId}/${name}`)
    },
    async put (blobId: BlobId, name: string, rendered: Rendered, isWanted = async () => true) {
      puts.push(`${blobId}/${name}`)
      await onPut()
      const entry = { ...entryOf(rendered), ...(inMemory && { bytes: rendered.bytes }) }
      if (await isWanted()) kept.set(`${blobId}/${name}`, entry)
      return entry
    },
  }
}

type Ran = { name: string, input: { path: string, contentType: string, bytes?: Buffer, spec?: VariantSpec }, turn: { weight: number, line: string } }

/** Renders what `work` says. */
function processesDouble (work: (job: Ran) => Promise<unknown> = async ({ input }) => rendered(JSON.stringify(input.spec))) {
  const ran: Ran[] = []
  const run = async (name: string, given: Ran['input'] | (() => Promise<Ran['input']>), turn: Ran['turn']) => {
    const input = typeof given === 'function' ? await given() : given
    ran.push({ name, input, turn })
    await setImmediate()
    return work({ name, input, turn })
  }
  return { ran, run: run as never }
}

const rendered = (text: string): Rendered => ({ bytes: Buffer.from(text), contentType: 'image/webp', width: 64, height: 64 })

function deferred<T> () {
  return Promise.withResolvers<T>()
}

async function sourceIn (t: Test, overrides: Partial<VariantSource> = {}) {
  const path = join(await temporaryFolder(t), 'blob.jpg')
  await writeFile(path, await picture('jpeg', { width: 400, height: 300 }))
  const counts = { opened: 0, released: 0 }
  const source: VariantSource = {
    blobId: newBlobId(), contentType: 'image/jpeg', width: 400, height: 300, frames: 1, isProven: true,
    open: async () => {
      counts.opened++
      return { path, isThere: async () => existsSync(path), release: async () => { counts.released++ } }
    },
    ...overrides,
  }
  return { source, path, counts }
}

const textOf = async (entry: Entry, range?: { start: number, end: number }) => (await buffer(await entry.read(range))).toString()

test('a thousand that ask first at the same time cause one decode', async (t) => {
  const { source, path, counts } = await sourceIn(t)
  const processes = processesDouble()
  const cache = cacheDouble()
  const variants = createVariants({ processes, cache })
  const entries = await Promise.all(Array.from({ length: 1000 }, () => variants.get({ ...source }, { ...spec })))
  t.equal(processes.ran.length, 1)
  t.match(processes.ran[0], { name: 'render', input: { path, contentType: 'image/jpeg', spec }, turn: { line: 'variant', weight: weightOf({ contentType: 'image/jpeg', width: 400, height: 300, frames: 1 }) + weightOfOutput(spec) } })
  t.equal(cache.lookUps, 1)
  t.same(cache.puts, [`${source.blobId}/v1-square-64.webp`])
  t.same(counts, { opened: 1, released: 1 })
  t.same(new Set(await Promise.all(entries.map((entry) => textOf(entry)))), new Set([JSON.stringify(spec)]))
  t.match(entries[999], { size: JSON.stringify(spec).length, contentType: 'image/webp', width: 64, height: 64 })
})

test('whoever asks later gets it out of the cache', async (t) => {
  const { source, counts } = await sourceIn(t)
  const processes = processesDouble()
  const variants = createVariants({ processes, cache: cacheDouble() })
  const first = await variants.get(source, spec)
  const second = await variants.get(source, spec)
  t.equal(second.sha256, first.sha256)
  t.equal(await textOf(second, { start: 1, end: 7 }), '"shape"')
  t.equal(processes.ran.length, 1)
  t.equal(counts.opened, 1)
})

test('other variants, and those of other pictures, are made for themselves', async (t) => {
  const one = await sourceIn(t)
  const other = await sourceIn(t)
  const processes = processesDouble()
  const variants = createVariants({ processes, cache: cacheDouble() })
  const wanted = [one, other].flatMap(({ source }) => sizes(50).map((spec) => ({ source, spec })))
  const texts = await Promise.all([...wanted, ...wanted].map(async ({ source, spec }) => textOf(await variants.get(source, spec))))
  t.same(texts, [...wanted, ...wanted].map(({ spec }) => JSON.stringify(spec)))
  t.equal(processes.ran.length, 100)
})

test('a failure reaches all who wait for it; what is of the moment is tried again', async (t) => {
  const { source, counts } = await sourceIn(t)
  const errors = [new ImagesBusy(), new Error('a fault of ours')]
  const processes = processesDouble(async () => {
    const error = errors.shift()
    if (error !== undefined) throw error
    return rendered('at last')
  })
  const cache = cacheDouble()
  const variants = createVariants({ processes, cache })
  for (const reason of [{ code: 'IMAGES_BUSY', statusCode: 503 }, { message: 'a fault of ours' }]) {
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => variants.get(source, spec)))
    t.match(outcomes, [1, 2, 3].map(() => ({ status: 'rejected', reason })))
  }
  t.same(cache.puts, [])
  t.equal(await textOf(await variants.get(source, spec)), 'at last')
  t.same([processes.ran.length, counts.opened, counts.released], [3, 3, 3])
})

test('a picture that cannot be shown holds no process again for a while, whatever is asked of it; others are shown', async (t) => {
  for (const { isProven, code, forMs, answer } of [
    { isProven: false, code: 'JOB_TIMED_OUT', forMs: 600_000, answer: { code: 'IMAGE_TOO_SLOW' } },
    { isProven: false, code: 'JOB_CRASHED', forMs: 600_000, answer: { code: 'IMAGE_INVALID' } },
    { isProven: true, code: 'IMAGE_INVALID', forMs: 60_000, answer: { code: 'IMAGE_INVALID' } },
    { isProven: true, code: 'JOB_TIMED_OUT', forMs: 60_000, answer: { code: 'IMAGES_BUSY', headers: { 'Retry-After': '60' } } },
  ]) {
    let nowMs = 1
    const { source } = await sourceIn(t, { isProven })
    const processes = processesDouble(async ({ input }) => {
      if (input.path === (await source.open()).path) throw Object.assign(new Error(), { code })
      return rendered('made')
    })
    const variants = createVariants({ processes, cache: cacheDouble(), nowMs: () => nowMs })
    await t.rejects(variants.get(source, spec), answer, code)
    for (const other of sizes(5)) await t.rejects(variants.get(source, other), answer)
    t.equal(processes.ran.length, 1)
    t.equal(await textOf(await variants.get((await sourceIn(t)).source, spec)), 'made')
    nowMs += forMs - 1
    await t.rejects(variants.get(source, spec), answer, 'asking does not make it longer')
    t.equal(processes.ran.length, 2)
    nowMs += 2
    await t.rejects(variants.get(source, spec), answer)
    t.equal(processes.ran.length, 3, 'then it is tried again')
  }
})

test('of those that wait for their turn while it fails, none is tried', async (t) => {
  const { source } = await sourceIn(t)
  const turn = deferred<void>()
  let [begun, tried] = [0, 0]
  const run = async (_name: string, input: () => Promise<unknown>) => {
    if (begun++ === 0) throw Object.assign(new Error(), { code: 'IMAGE_INVALID' })
    await turn.promise
    await input()
    tried++
  }
  const variants = createVariants({ processes: { run: run as never }, cache: cacheDouble() })
  const asked = Promise.allSettled(sizes(5).map((spec) => variants.get(source, spec)))
  await setImmediate()
  turn.resolve()
  t.match(await asked, sizes(5).map(() => ({ status: 'rejected', reason: { code: 'IMAGE_INVALID' } })))
  t.same([begun, tried], [5, 0])
})

test('a blob that cannot be opened is an error like any other', async (t) => {
  const { source } = await sourceIn(t, { open: async () => { throw new StorageUnavailable() } })
  const variants = createVariants({ processes: processesDouble(), cache: cacheDouble() })
  await t.rejects(variants.get(source, spec), { code: 'STORAGE_UNAVAILABLE' })
})

test('what the record does not know of the picture is asked of its header, and weighed', async (t) => {
  const moving = { ...spec, isAnimated: true }
  const cases: Array<[known: Partial<VariantSource>, spec: VariantSpec, jobs: string[], frames: number]> = [
    [{ width: null, height: null }, spec, ['header', 'render'], 1],
    [{ width: 500, height: null, frames: 7 }, moving, ['header', 'render'], 7],
    [{ width: 500, height: 400, frames: undefined }, spec, ['render'], 1],
    [{ width: 500, height: 400, frames: undefined }, moving, ['header', 'render'], 7],
    [{ width: 500, height: 400, frames: 7 }, spec, ['render'], 1],
    [{ width: 500, height: 400, frames: 7 }, moving, ['render'], 7],
    [{ width: 500, height: 400, frames: 1 }, moving, ['render'], 1],
    [{ width: 500, height: 400, frames: 100_000 }, moving, ['render'], 1],
  ]
  for (const [known, spec, jobs, frames] of cases) {
    const { source } = await sourceIn(t, { contentType: 'image/webp', ...known })
    const processes = processesDouble(async ({ name }) => name === 'header' ? { width: 500, height: 400, frames: 7, hasAlpha: false } : rendered('made'))
    await createVariants({ processes, cache: cacheDouble() }).get(source, spec)
    t.same(processes.ran.map(({ name }) => name), jobs)
    t.equal(processes.ran.at(-1)?.turn.weight, weightOf({ contentType: 'image/webp', width: 500, height: 400, frames }) + weightOfOutput(spec) * frames)
  }
})

test('of a large picture it is asked whether it is progressive, which its weight depends on', async (t) => {
  for (const isProgressive of [true, false]) {
    const { source } = await sourceIn(t, { width: 4000, height: 3000 })
    const header = { width: 4000, height: 3000, frames: 1, hasAlpha: false, isProgressive }
    const processes = processesDouble(async ({ name }) => name === 'header' ? header : rendered('made'))
    await createVariants({ processes, cache: cacheDouble() }).get(source, spec)
    t.same(processes.ran.map(({ name }) => name), ['header', 'render'])
    t.equal(processes.ran[1]?.turn.weight, weightOf({ ...header, contentType: 'image/jpeg' }) + weightOfOutput(spec))
  }
})

test('what is made of a long animation weighs no more than the longest that is made', async (t) => {
  const weights = await Promise.all([20, 200].map(async (frames) => {
    const { source } = await sourceIn(t, { contentType: 'image/gif', width: 400, height: 400, frames })
    const processes = processesDouble()
    await createVariants({ processes, cache: cacheDouble() }).get(source, { ...spec, size: 1024, isAnimated: true })
    return (processes.ran[0]?.turn.weight ?? 0) - weightOf({ contentType: 'image/gif', width: 400, height: 400, frames })
  }))
  t.same(weights, [weightOfOutput({ ...spec, size: 1024 }) * 20, maxAnimatedPixelsOut * pixelBytes].map((weight) => Math.min(weight, maxAnimatedPixelsOut * pixelBytes)))
})

test('a blob that is removed meanwhile leaves nothing behind', async (t) => {
  const { source, path, counts } = await sourceIn(t)
  const cache = cacheDouble()
  const variants = createVariants({ cache, processes: processesDouble(async () => { await rm(path); return rendered('just in time') }) })
  t.equal(await textOf(await variants.get(source, spec)), 'just in time', 'who asked before gets it')
  t.equal(cache.puts.length, 1)
  t.equal(cache.kept.size, 0)
  t.same(counts, { opened: 1, released: 1 })
})

test('what fails because the file is gone is no fault of the picture', async (t) => {
  const { source, path } = await sourceIn(t)
  await rm(path)
  const cause = Object.assign(new Error('cannot be decoded'), { code: 'IMAGE_INVALID' })
  const variants = createVariants({ cache: cacheDouble(), processes: processesDouble(async () => { throw cause }) })
  await t.rejects(variants.get(source, spec), { code: 'STORAGE_UNAVAILABLE', cause: { cause } })
})

test('a file that cannot be looked for counts as there', async (t) => {
  const { source, path } = await sourceIn(t)
  // ENOTDIR: nothing says that the blob is gone.
  const variants = createVariants({ cache: cacheDouble(), processes: processesDouble() })
  const entry = await variants.get({ ...source, open: async () => ({ path: join(path, 'below'), isThere: async () => true, release: async () => {} }) }, spec)
  t.equal(await textOf(entry), JSON.stringify(spec))
})

test('what the cache loses before it is read is made anew, once', async (t) => {
  const { source } = await sourceIn(t)
  const processes = processesDouble()
  const cache = cacheDouble()
  const variants = createVariants({ processes, cache })
  await variants.get(source, spec)
  const [key = '', entry] = [...cache.kept][0] ?? []
  cache.kept.set(key, { ...entry as Entry, read: async () => { throw new StorageUnavailable() } })
  const entries = await Promise.all(Array.from({ length: 100 }, () => variants.get(source, spec)))
  t.equal(processes.ran.length, 1)
  cache.kept.clear()
  const texts = await Promise.all(entries.map((lost) => textOf(lost, { start: 0, end: 1 })))
  t.same(new Set(texts), new Set(['{"']))
  t.equal(processes.ran.length, 2)
})

test('what comes out as other bytes then is not sent under the tag of the first', async (t) => {
  const { source } = await sourceIn(t)
  const processes = processesDouble(async () => rendered(`made for the ${processes.ran.length}. time`))
  const cache = cacheDouble()
  const variants = createVariants({ processes, cache })
  await variants.get(source, spec)
  const [key = '', entry] = [...cache.kept][0] ?? []
  cache.kept.set(key, { ...entry as Entry, read: async () => { throw new StorageUnavailable() } })
  const lost = await variants.get(source, spec)
  cache.kept.clear()
  await t.rejects(lost.read(), { code: 'STORAGE_UNAVAILABLE' })
  t.equal(await textOf(await variants.get(source, spec)), 'made for the 2. time')
})

test('a real file is made into a real picture', async (t) => {
  const { source, path } = await sourceIn(t)
  const processes = processesDouble(async ({ input }) => {
    const { data, info } = await sharp(await readFile(input.path)).resize(input.spec?.size, input.spec?.size).webp().toBuffer({ resolveWithObject: true })
    return { bytes: data, contentType: 'image/webp', width: info.width, height: info.height }
  })
  const entry = await createVariants({ processes, cache: cacheDouble() }).get(source, spec)
  t.match(await sharp(await buffer(await entry.read())).metadata(), { format: 'webp', width: 64, height: 64 })
  t.ok(existsSync(path), 'the original stays')
})

test('at random, nothing is made twice at once, and all that is opened is released', async (t) => {
  const { source: prototype, counts } = await sourceIn(t)
  const blobs = Array.from({ length: 4 }, () => newBlobId())
  const active = new Map<string, number>()
  let most = 0
  let seed = 7
  const random = (below: number) => { seed = seed * 48271 % 0x7fffffff; return seed % below }
  const pause = async () => { for (let turns = random(4); turns > 0; turns--) await setImmediate() }
  const processes = processesDouble(async ({ input: { spec } }) => {
    await pause()
    if (random(5) === 0) throw new ImagesBusy()
    return rendered(JSON.stringify(spec ?? 'a master'))
  })
  const cache = cacheDouble({ lookUp: pause, onPut: pause })
  const variants = createVariants({
    processes,
    cache: {
      remembered: () => undefined,
      get: (blobId, name) => cache.get(blobId, name),
      async put (blobId, name, made, isWanted) {
        const key = `${blobId}/${name}`
        active.set(key, (active.get(key) ?? 0) + 1)
        most = Math.max(most, active.get(key) ?? 0)
        const entry = await cache.put(blobId, name, made, isWanted)
        active.set(key, (active.get(key) ?? 0) - 1)
        return entry
      },
    },
  })
  const codes = new Set<string>()
  const doing: Promise<unknown>[] = []
  for (let step = 0; step < 3000; step++) {
    const which = random(blobs.length)
    const contentType = which % 2 === 0 ? 'image/heic' : 'image/jpeg'
    doing.push(variants.get({ ...prototype, contentType, blobId: blobs[which] as BlobId }, { ...spec, size: random(3) + 1 }).then(textOf, ({ code }) => { codes.add(code) }))
    if (random(50) === 0) cache.kept.clear()
    if (random(3) === 0) await setImmediate()
  }
  await Promise.all(doing)
  t.equal(most, 1)
  t.same([...codes], ['IMAGES_BUSY'])
  t.ok(counts.opened > 20)
  t.equal(counts.opened, counts.released)
})

const heic = { contentType: 'image/heic', width: 4000, height: 3000 } as const

/** Of what a phone makes. */
const aMaster: Rendered = { bytes: Buffer.from('the master'), contentType: 'image/jpeg', width: 4000, height: 3000 }

const makesMasters = () => processesDouble(async ({ name, input }) => name === 'master' ? aMaster : rendered(`${name} ${input.spec?.size} of ${input.bytes ?? 'the file'}`))

test('a HEIC is decoded once, whatever is asked of it, and its variants are made of what came out', async (t) => {
  const { source, path, counts } = await sourceIn(t, heic)
  const processes = makesMasters()
  const cache = cacheDouble()
  const variants = createVariants({ processes, cache })
  const entries = await Promise.all(sizes(5).map((spec) => variants.get(source, spec)))
  t.same(processes.ran.map(({ name }) => name), ['master', 'render', 'render', 'render', 'render', 'render'])
  t.match(processes.ran[0], { input: { path, contentType: 'image/heic' }, turn: { line: 'variant', weight: weightOf({ ...heic, frames: 1, isProgressive: false }) + await weightOfFile({ path, contentType: 'image/heic' }) } })
  t.same(processes.ran[1]?.input, { bytes: aMaster.bytes, contentType: 'image/jpeg', spec: { ...spec, size: 1 } })
  t.equal(processes.ran[1]?.turn.weight, weightOf({ ...heic, contentType: 'image/jpeg', frames: 1, isProgressive: false }) + weightOfOutput({ size: 1, format: 'webp' }))
  t.same(await Promise.all(entries.map((entry) => textOf(entry))), [1, 2, 3, 4, 5].map((size) => `render ${size} of the master`))
  t.equal(cache.puts[0], `${source.blobId}/v1-master.auto`)
  t.same(counts, { opened: 6, released: 6 })
  await variants.get(source, { ...spec, size: 6 })
  t.equal(processes.ran.filter(({ name }) => name === 'master').length, 1, 'it is kept')
})

test('a picture that is seen through has a PNG for its master', async (t) => {
  const { source, path } = await sourceIn(t, { ...heic, contentType: 'image/heif', width: null })
  const whole = await weightOfFile({ path, contentType: 'image/heif' })
  const processes = processesDouble(async ({ name }) => name === 'header' ? { ...heic, frames: 1, hasAlpha: true, isProgressive: false } : name === 'master' ? { ...aMaster, contentType: 'image/png' } : rendered('made'))
  await createVariants({ processes, cache: cacheDouble() }).get(source, spec)
  t.match(processes.ran, [{ name: 'header', turn: { weight: whole } }, { name: 'master', turn: { weight: weightOf({ ...heic, frames: 1, isProgressive: false }) + whole } }, { name: 'render', input: { contentType: 'image/png' } }])
  t.equal(processes.ran[2]?.turn.weight, weightOf({ ...heic, contentType: 'image/png', frames: 1, isProgressive: false }) + weightOfOutput(spec))
})

test('a master is not in memory while its variant waits for its turn', async (t) => {
  const { source } = await sourceIn(t, heic)
  const turn = deferred<void>()
  let reads = 0
  const cache = cacheDouble()
  const { read, ...facts } = entryOf(aMaster)
  cache.kept.set(`${source.blobId}/v1-master.auto`, { ...facts, read: (range) => { reads++; return read(range) } })
  const { run } = makesMasters()
  const waiting = createVariants({ processes: { run: (async (...job: []) => { await turn.promise; return (run as () => unknown)(...job) }) as never }, cache }).get(source, spec)
  for (let turns = 0; turns < 20; turns++) await setImmediate()
  t.equal(reads, 0)
  turn.resolve()
  t.equal(await textOf(await waiting), 'render 64 of the master')
  t.equal(reads, 1)
})

test('without its master, a variant is made of the picture itself', async (t) => {
  const lost: Record<string, Entry['read']> = {
    gone: async () => { throw new StorageUnavailable() },
    'cut off': async () => Readable.from([aMaster.bytes.subarray(0, 5)]),
    failing: async () => new Readable({ read () { this.destroy(new Error('EIO')) } }),
  }
  for (const [how, read] of Object.entries(lost)) {
    const { source, path } = await sourceIn(t, heic)
    const cache = cacheDouble()
    cache.kept.set(`${source.blobId}/v1-master.auto`, { ...entryOf(aMaster), read })
    const processes = makesMasters()
    t.equal(await textOf(await createVariants({ processes, cache }).get(source, spec)), 'render 64 of the file', how)
    t.match(processes.ran, [{ name: 'render', input: { path, contentType: 'image/heic', spec } }])
  }
})

test('a master that cannot be kept serves those who wait, and is made anew for the next', async (t) => {
  const { source } = await sourceIn(t, heic)
  const processes = makesMasters()
  const variants = createVariants({ processes, cache: { get: async () => undefined, remembered: () => undefined, put: async (_blobId, _name, made) => entryOf(made) } })
  const entries = await Promise.all(sizes(3).map((spec) => variants.get(source, spec)))
  t.same(await Promise.all(entries.map((entry) => textOf(entry))), [1, 2, 3].map((size) => `render ${size} of the master`))
  await variants.get(source, spec)
  t.equal(processes.ran.filter(({ name }) => name === 'master').length, 2)
})

test('the failure of a master reaches all who wait for a variant, as the same', async (t) => {
  let nowMs = 1
  const { source, counts } = await sourceIn(t, heic)
  const cause = Object.assign(new Error('damaged'), { code: 'IMAGE_INVALID' })
  const errors: unknown[] = [cause]
  const processes = processesDouble(async ({ name }) => {
    if (errors.length > 0) throw errors.pop()
    return name === 'master' ? aMaster : rendered('at last')
  })
  const variants = createVariants({ processes, cache: cacheDouble(), nowMs: () => nowMs })
  const outcomes = await Promise.allSettled(sizes(3).map((spec) => variants.get(source, spec)))
  t.match(outcomes, sizes(3).map(() => ({ status: 'rejected', reason: { code: 'IMAGE_INVALID', statusCode: 422, cause } })))
  t.equal(processes.ran.length, 1)
  await t.rejects(variants.get(source, spec), { code: 'IMAGE_INVALID' })
  nowMs += 61_000
  t.equal(await textOf(await variants.get(source, spec)), 'at last')
  t.equal(counts.opened, counts.released)
})

test('real HEIC pictures are made into real variants, by way of the real cache', async (t) => {
  for (const name of ['quad', 'alpha'] as const) {
    const { open } = await setUpCache(t)
    const cache = open()
    const { source, path } = await sourceIn(t, { contentType: 'image/heic', width: 96, height: 64 })
    await writeFile(path, heif(name))
    const names: string[] = []
    const variants = createVariants({ cache, processes: processesDouble(async ({ name, input }) => { names.push(name); return jobs[name as 'render'](input as never) }) })
    for (const format of ['webp', 'auto'] as const) {
      const entry = await variants.get(source, { ...spec, shape: 'inside', size: 48, format })
      const seen = await sharp(await buffer(await entry.read())).metadata()
      t.match(seen, { width: 48, height: 32, hasAlpha: name === 'alpha' })
      await written(cache)
    }
    t.same(names, ['master', 'render', 'render'])
  }
})

test('a picture that is removed while its master or its variant is made leaves nothing in the cache', async (t) => {
  for (const removedBy of ['master', 'render']) {
    const { open, files, folder } = await setUpCache(t)
    const cache = open()
    const { source, path } = await sourceIn(t, heic)
    const processes = processesDouble(async ({ name }) => {
      // As the volume does: the blob first, then what is kept of it.
      if (name === removedBy) for (const gone of [path, blobFolder(folder, source.blobId)]) await rm(gone, { recursive: true, force: true })
      return name === 'master' ? aMaster : rendered('just in time')
    })
    await cache.start()
    t.equal(await textOf(await createVariants({ cache, processes }).get(source, spec)), 'just in time', 'who asked before gets it')
    await written(cache)
    t.same(files(), [], removedBy)
    t.equal(await cache.get(source.blobId, 'v1-square-64.webp'), undefined)
  }
})

test('what is in memory can be had at once, for as long as it is there and the same', async (t) => {
  const { source } = await sourceIn(t)
  let text = 'one'
  const cache = cacheDouble({ inMemory: true })
  const variants = createVariants({ processes: processesDouble(async () => rendered(text)), cache })
  const { whole } = await variants.get(source, spec)
  t.equal(String(whole?.remembered()), 'one')
  t.equal(String(await whole?.read()), 'one')
  cache.kept.clear()
  t.equal(whole?.remembered(), undefined)
  t.equal(String(await whole?.read()), 'one', 'made anew')
  t.equal(String(whole?.remembered()), 'one')
  cache.kept.clear()
  text = 'two'
  await t.rejects(async () => { await whole?.read() }, { code: 'STORAGE_UNAVAILABLE' })
  t.equal(whole?.remembered(), undefined, 'another one is not what was asked for')
  t.equal((await createVariants({ processes: processesDouble(), cache: cacheDouble() }).get(source, spec)).whole, undefined, 'what is not in memory is read as a stream')
})
