import { Readable } from 'node:stream'
import { test } from 'tap'
import { newBlobId } from '../../src/storage/ids.ts'
import { rememberingStore } from '../../src/storage/remembering.ts'
import type { BlobAddress, Store } from '../../src/storage/store.ts'
import { fileOf } from '../transfer/fixtures/open-file.ts'

const addressed = (): BlobAddress => ({ kind: 'avatar', id: newBlobId(), extension: 'jpg' })

function build ({ read = async () => Buffer.from('hello'), maxBytes = 10_000 }: { read?: () => Promise<Buffer>, maxBytes?: number } = {}) {
  const calls: string[] = []
  const removal = (name: string) => async () => { calls.push(name) }
  const home = { read: async () => { calls.push('read'); return Readable.from([await read()]) }, remove: removal('remove'), removeForGood: removal('removeForGood') } as Partial<Store> as Store
  const store = rememberingStore(home, maxBytes)
  const whole = (address: BlobAddress, size = 5) => store.readWhole?.(address, size) ?? Promise.reject(new Error('it cannot'))
  return { calls, whole, store }
}

test('the bytes of a small blob are read once, also by those who ask at the same time', async (t) => {
  const { calls, whole, store } = build()
  const address = addressed()
  t.equal(store.remembered?.(address), undefined)
  const all = await Promise.all([whole(address), whole(address)])
  t.strictSame(all.map(String), ['hello', 'hello'])
  t.equal(String(await whole(address)), 'hello')
  t.equal(String(store.remembered?.(address)), 'hello')
  t.strictSame(calls, ['read'])
})

test('a home that reads all at once is asked to', async (t) => {
  const store = rememberingStore({ readWhole: async () => Buffer.from('whole') } as Partial<Store> as Store, 10_000)
  t.equal(String(await store.readWhole?.(addressed(), 5)), 'whole')
})

test('those read longest ago make room, and what is too large is not kept', async (t) => {
  const { calls, whole, store } = build({ maxBytes: 1200 })
  const [one, two, three] = [addressed(), addressed(), addressed()]
  await whole(one)
  await whole(two)
  await whole(one)
  await whole(three)
  t.strictSame([one, two, three].map((address) => store.remembered?.(address) !== undefined), [true, false, true])
  t.equal(calls.length, 3)
  const large = build({ read: async () => Buffer.alloc(600_000), maxBytes: 10_000_000 })
  const address = addressed()
  t.equal((await large.whole(address, 600_000)).length, 600_000)
  t.equal(large.store.remembered?.(address), undefined)
})

test('bytes that are not as many as was said are no answer, and are not kept', async (t) => {
  const { whole, store } = build()
  const address = addressed()
  await t.rejects(whole(address, 6), { code: 'STORAGE_UNAVAILABLE', cause: { message: /has 5 bytes instead of 6/ } })
  t.equal(store.remembered?.(address), undefined)
  t.equal(String(await whole(address)), 'hello')
})

test('what is removed is forgotten, also while it is being read', async (t) => {
  for (const name of ['remove', 'removeForGood'] as const) {
    const reading = Promise.withResolvers<Buffer>()
    let isFirst = true
    const { calls, whole, store } = build({
      read: () => {
        if (!isFirst) return Promise.resolve(Buffer.from('again'))
        isFirst = false
        return reading.promise
      },
    })
    const address = addressed()
    const first = whole(address)
    await store[name](address)
    reading.resolve(Buffer.from('hello'))
    t.equal(String(await first), 'hello')
    t.equal(store.remembered?.(address), undefined)
    t.equal(String(await whole(address)), 'again')
    await store[name](address)
    t.equal(store.remembered?.(address), undefined)
    t.strictSame(calls, ['read', name, 'read', name])
  }
})

test('small parts of large blobs are remembered as well, until the blob is removed', async (t) => {
  for (const name of ['remove', 'removeForGood'] as const) {
    let opened = 0
    let answer = Promise.resolve()
    const home = { openFile: async () => { opened += 1; await answer; return fileOf(Buffer.from('0123456789')) }, remove: async () => {}, removeForGood: async () => {} } as Partial<Store> as Store
    const store = rememberingStore(home, 10_000)
    const [address, other] = [addressed(), addressed()]
    const part = async (start: number, of = address) => String(await store.readPart?.(of, 10, { start, end: start + 1 }))
    const known = (start: number, of = address) => store.rememberedPart?.(of, { start, end: start + 1 })?.toString()
    t.equal(known(0), undefined)
    t.equal(await part(0), '01')
    t.equal(await part(0), '01', 'by who asked before it was there')
    t.equal(await part(4), '45')
    t.equal(await part(4, other), '45')
    t.strictSame([known(0), known(4), known(1), known(4, other)], ['01', '45', undefined, '45'])
    const { promise, resolve } = Promise.withResolvers<void>()
    answer = promise
    const late = part(2)
    await store[name](address)
    resolve()
    t.equal(await late, '23')
    t.strictSame([known(0), known(4), known(2), known(4, other)], [undefined, undefined, undefined, '45'])
    t.equal(opened, 5)
  }
})

test('parts make room too, and without memory none is kept', async (t) => {
  const home = { openFile: async () => fileOf(Buffer.alloc(1000)) } as Partial<Store> as Store
  const range = (start: number) => ({ start, end: start + 99 })
  const address = addressed()
  const store = rememberingStore(home, 1300)
  for (const start of [0, 100, 200]) await store.readPart?.(address, 1000, range(start))
  t.strictSame([0, 100, 200].map((start) => store.rememberedPart?.(address, range(start))?.length), [undefined, 100, 100])
  const none = rememberingStore(home, 0)
  await none.readPart?.(address, 1000, range(0))
  t.equal(none.rememberedPart?.(address, range(0)), undefined)
})
