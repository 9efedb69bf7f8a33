import { setTimeout } from 'node:timers/promises'
import { test } from 'tap'
import type { OpenFile } from '../../src/storage/fs.ts'
import { newBlobId } from '../../src/storage/ids.ts'
import { keepingOpen } from '../../src/storage/keeping-open.ts'
import type { BlobAddress, Store } from '../../src/storage/store.ts'

const addressed = (): BlobAddress => ({ kind: 'avatar', id: newBlobId(), extension: 'jpg' })

/** A home that says what is opened, closed and removed, as names of blobs. */
function build (options: { most?: number, idleMs?: number } = {}) {
  const calls: string[] = []
  const names = new Map<string, string>()
  const failing = new Set<string>()
  const nameOf = ({ id }: BlobAddress) => names.get(id) ?? names.set(id, String.fromCharCode(97 + names.size)).get(id) ?? ''
  const home = {
    async openFile (address: BlobAddress, size: number): Promise<OpenFile> {
      const name = nameOf(address)
      calls.push(`open ${name}`)
      if (failing.has('open')) throw new Error('EMFILE')
      return { size, read: (_into, length, _position, done) => failing.has('read') ? done(new Error('ESTALE'), 0) : done(null, length), close: () => { calls.push(`close ${name}`) } }
    },
    remove: async (address: BlobAddress) => { calls.push(`remove ${nameOf(address)}`) },
    removeForGood: async (address: BlobAddress) => { calls.push(`purge ${nameOf(address)}`) },
  }
  const store = keepingOpen(home as Partial<Store> as Store, options)
  const open = (address: BlobAddress) => store.openFile?.(address, 5) ?? Promise.reject(new Error('it cannot'))
  return { calls, failing, store, open }
}

const read = (file: OpenFile) => new Promise((resolve) => { file.read(Buffer.alloc(3), 3, 0, (error, count) => resolve(error?.message ?? count)) })

const settled = () => setTimeout(0)

test('a file is opened once, also for those who ask at the same time', async (t) => {
  const { calls, open } = build()
  const address = addressed()
  const [one, two] = await Promise.all([open(address), open(address)])
  t.equal(one?.size, 5)
  t.equal(one && await read(one), 3)
  one?.close()
  two?.close()
  const again = await open(address)
  again.close()
  await settled()
  t.strictSame(calls, ['open a'])
})

test('it is closed when nobody has asked for a while, and not under those who still read', async (t) => {
  const { calls, open } = build({ idleMs: 20 })
  const address = addressed()
  const reading = await open(address)
  await setTimeout(60)
  t.strictSame(calls, ['open a'])
  reading.close()
  while (calls.length < 2) await setTimeout(5)
  t.strictSame(calls, ['open a', 'close a'])
})

test('those used last stay, and what makes room is closed once it is not read any more', async (t) => {
  const { calls, open } = build({ most: 2 })
  const [a, b, c] = [addressed(), addressed(), addressed()]
  const reading = await open(a)
  for (const address of [b, c]) (await open(address)).close()
  await settled()
  t.strictSame(calls, ['open a', 'open b', 'open c'])
  reading.close()
  await settled()
  t.strictSame(calls.slice(3), ['close a'])
})

test('what is removed is closed at once, or after its last reader', async (t) => {
  for (const [name, word] of [['remove', 'remove'], ['removeForGood', 'purge']] as const) {
    const { calls, open, store } = build()
    const address = addressed();
    (await open(address)).close()
    await store[name](address)
    t.strictSame(calls, ['open a', `${word} a`, 'close a'])
    const reading = await open(address)
    await store[name](address)
    t.strictSame(calls.slice(3), ['open a', `${word} a`])
    reading.close()
    await settled()
    t.equal(calls.at(-1), 'close a')
  }
})

test('what cannot be opened or read is opened anew for the next', async (t) => {
  const { calls, failing, open } = build()
  const address = addressed()
  failing.add('open')
  await t.rejects(open(address), { message: 'EMFILE' })
  failing.delete('open')
  const file = await open(address)
  failing.add('read')
  t.equal(await read(file), 'ESTALE')
  const other = await open(address)
  file.close()
  other.close()
  await settled()
  t.strictSame(calls, ['open a', 'open a', 'open a', 'close a'])
})

test('a home without files stays as it is', (t) => {
  const home = {} as Store
  t.equal(keepingOpen(home), home)
  t.end()
})
