import { test } from 'tap'
import { createUnfinished, fingerprintOf, usualStorage, type UploadStorage } from '../../src/client/unfinished.ts'

const day = 86_400_000

function kept (isLate = false): UploadStorage & { texts: Map<string, string> } {
  const texts = new Map<string, string>()
  const later = async <T>(value: T): Promise<T> => { await new Promise(setImmediate); return value }
  return {
    texts,
    getItem: (key) => isLate ? later(texts.get(key) ?? null) : texts.get(key) ?? null,
    setItem: (key, value) => {
      if (isLate) return later(undefined).then(() => { texts.set(key, value) })
      texts.set(key, value)
    },
  }
}

for (const isLate of [false, true]) {
  test(`what is remembered outlives the page, in storage that answers ${isLate ? 'later' : 'at once'}`, async (t) => {
    const storage = kept(isLate)
    const unfinished = createUnfinished(storage)
    await Promise.all([unfinished.set('a', '/1'), unfinished.set('b', '/2'), unfinished.set('c', '/3')])
    const after = createUnfinished(storage)
    t.strictSame(await Promise.all(['a', 'b', 'c', 'd'].map(after.get)), ['/1', '/2', '/3', undefined])
    await Promise.all([after.remove('a'), after.remove('x')])
    t.strictSame(await Promise.all(['a', 'b'].map(unfinished.get)), [undefined, '/2'])
  })
}

test('what nobody comes back to goes in a week', async (t) => {
  const storage = kept()
  let now = 0
  const unfinished = createUnfinished(storage, () => now)
  await unfinished.set('old', '/1')
  now = 6 * day
  await unfinished.set('young', '/2')
  t.equal(await unfinished.get('old'), '/1')
  now = 8 * day
  t.equal(await unfinished.get('old'), undefined)
  await unfinished.set('new', '/3')
  t.notMatch([...storage.texts.values()].join(), '/1')
  t.match([...storage.texts.values()].join(), '/2')
})

test('a storage that fails, or holds something else, costs no upload', async (t) => {
  const failing: UploadStorage = { getItem: () => { throw new Error('forbidden') }, setItem: () => { throw new Error('full') } }
  const unfinished = createUnfinished(failing)
  await unfinished.set('a', '/1')
  t.equal(await unfinished.get('a'), undefined)
  await unfinished.remove('a')
  const strange = kept()
  strange.texts.set('upload-gateway', '{"not": "mine"}')
  t.equal(await createUnfinished(strange).get('a'), undefined)
  const nothing = createUnfinished(undefined)
  await nothing.set('a', '/1')
  t.equal(await nothing.get('a'), undefined)
})

test('pages have localStorage, where they may; Node has none that it writes to', (t) => {
  t.equal(usualStorage(), undefined)
  t.intercept(globalThis, 'document' as keyof typeof globalThis, { value: {} })
  const storage = kept()
  t.intercept(globalThis, 'localStorage' as keyof typeof globalThis, { value: storage })
  t.equal(usualStorage(), storage)
  t.intercept(globalThis, 'localStorage' as keyof typeof globalThis, { get: () => { throw new Error('SecurityError') } })
  t.equal(usualStorage(), undefined)
  t.end()
})

test('a file is known again by name, size, type and time, and by what is said of it; a piece of memory never', (t) => {
  const file = (name: string, text: string, lastModified: number, type = 'text/plain') => new File([text], name, { lastModified, type })
  const prints = [
    fingerprintOf(file('a', 'x', 1), {}, '/api'),
    fingerprintOf(file('b', 'x', 1), {}, '/api'),
    fingerprintOf(file('a', 'xy', 1), {}, '/api'),
    fingerprintOf(file('a', 'x', 2), {}, '/api'),
    fingerprintOf(file('a', 'x', 1, 'text/html'), {}, '/api'),
    fingerprintOf(file('a', 'x', 1), { contextId: '7' }, '/api'),
    fingerprintOf(file('a', 'x', 1), {}, 'https://other/api'),
  ]
  t.equal(new Set(prints).size, prints.length)
  t.equal(fingerprintOf(file('a', 'x', 1), {}, '/api'), prints[0])
  t.equal(fingerprintOf(new Blob(['x']), {}, '/api'), undefined)
  t.end()
})

test('with a key it is known again by what the gateway compares under that key', (t) => {
  const prints = [
    fingerprintOf(new Blob(['x']), { filename: 'a' }, '/api', 'k'),
    fingerprintOf(new Blob(['x']), { filename: 'a' }, '/api', 'l'),
    fingerprintOf(new Blob(['x']), { filename: 'b' }, '/api', 'k'),
    fingerprintOf(new Blob(['xy']), { filename: 'a' }, '/api', 'k'),
    fingerprintOf(new Blob(['x'], { type: 'text/html' }), { filename: 'a' }, '/api', 'k'),
    fingerprintOf(new Blob(['x']), { filename: 'a' }, 'https://other/api', 'k'),
  ]
  t.equal(new Set(prints).size, prints.length)
  t.equal(fingerprintOf(new File(['x'], 'made again', { lastModified: 2 }), { filename: 'a' }, '/api', 'k'), prints[0])
  t.end()
})
