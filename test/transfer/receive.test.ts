import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { platform } from 'node:process'
import t from 'tap'
import { StorageFull } from '../../src/errors.ts'
import { fileSystem } from '../../src/storage/fs.ts'
import { openStorage } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/store.ts'
import { stagingDouble } from './fixtures/staging-double.ts'
import { eventually, multipart, rawClient, uploadServer } from './fixtures/upload-server.ts'

const form = multipart([{ name: 'visibility', content: 'public' }, { filename: 'a', content: 'a'.repeat(300) }, { filename: 'b', content: 'b'.repeat(300) }])
const formHead = (bytes: number) => `POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${bytes}\r\n\r\n`
const rawHead = (bytes: number) => `POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: ${bytes}\r\n\r\n`

t.test('a client that leaves, after however many bytes, leaves nothing behind', async (t) => {
  const { port, store, errors } = await uploadServer(t)
  const cuts: Buffer[] = []
  for (let length = 0; length < form.length; length += 13) cuts.push(Buffer.concat([Buffer.from(formHead(form.length)), form.subarray(0, length)]))
  for (let length = 0; length < 900; length += 100) cuts.push(Buffer.concat([Buffer.from(rawHead(900)), Buffer.alloc(length)]))
  for (const bytes of cuts) {
    const before = store.reservations.length
    const { socket } = rawClient(t, port)
    socket.write(bytes)
    t.ok(await eventually(() => store.reservations.length > before))
    socket.resetAndDestroy()
  }
  t.ok(await eventually(() => errors.length === cuts.length), `${errors.length} of ${cuts.length} ended`)
  t.same(errors.map(({ code }) => code), Array(cuts.length).fill('UPLOAD_ABORTED'))
  t.ok(store.files.length > 50, `${store.files.length} files were begun`)
  t.ok(store.states().every((state) => state === 'discarded'))
  t.ok(await eventually(() => store.reservations.every(({ releases }) => releases === 1)))
})

t.test('on a real volume no file and no descriptor is left of aborted uploads', { skip: platform === 'linux' ? false : 'descriptors are counted in /proc' }, async (t) => {
  const root = t.testdir()
  const storage = await openStorage({ fs: fileSystem, root, reserveBytes: 0, known: { volumeId: undefined, knowsFiles: false } })
  t.teardown(() => storage.staging.close())
  const double = stagingDouble()
  const store: Pick<Store, 'stage' | 'reserve'> = storage.store
  // The thread that hashes has some of its own.
  const first = await storage.store.stage()
  await first.write(Buffer.alloc(2 * 1024 ** 2))
  await first.finish()
  await first.discard()
  let begun = 0
  Object.assign(double, { reserve: store.reserve, stage: () => { begun++; return store.stage() } })
  const { port, errors } = await uploadServer(t, { store: double, maxBytes: 10e6 })
  const descriptors = async () => (await readdir('/proc/self/fd')).length
  const before = { descriptors: await descriptors(), staged: (await readdir(storage.staging.folder)).length }

  for (let round = 1; round <= 60; round++) {
    const { socket } = rawClient(t, port)
    socket.write(rawHead(9e6))
    socket.write(Buffer.alloc(round * 50_000))
    t.ok(await eventually(() => begun === round))
    socket.resetAndDestroy()
  }
  t.ok(await eventually(() => errors.length === 60))
  t.equal((await readdir(storage.staging.folder)).length, before.staged)
  t.ok(await eventually(async () => await descriptors() <= before.descriptors), `${await descriptors()} descriptors, ${before.descriptors} before`)
})

t.test('a body that is shorter than declared is an aborted one', async (t) => {
  const { port, store, errors } = await uploadServer(t)
  for (const bytes of [Buffer.concat([Buffer.from(formHead(form.length + 10)), form]), Buffer.from(rawHead(10) + 'short')]) {
    const before = store.files.length
    const { socket, closed } = rawClient(t, port)
    socket.write(bytes)
    t.ok(await eventually(() => store.files.length > before))
    socket.end()
    t.notMatch(await closed, / 20\d /)
  }
  t.ok(await eventually(() => errors.length === 2))
  t.match(errors, [{ code: 'UPLOAD_ABORTED' }, { code: 'UPLOAD_ABORTED' }])
  t.ok(store.states().every((state) => state === 'discarded'))
})

t.test('what follows the last part is read, within limits, and means nothing', async (t) => {
  const { url, store } = await uploadServer(t)
  const headers = { 'content-type': 'multipart/form-data; boundary=b' }
  const fine = await fetch(url, { method: 'POST', headers, body: Buffer.concat([form, Buffer.alloc(60_000, 'x')]) })
  t.equal(fine.status, 200)
  store.files.length = 0
  const endless = await fetch(url, { method: 'POST', headers, duplex: 'half', body: new Blob([form, Buffer.alloc(200_000, 'x')]).stream() } as RequestInit)
  t.equal(endless.status, 413)
  t.same(store.states(), ['discarded', 'discarded'])
})

t.test('parts that are no files cannot make a body of unknown length endless', async (t) => {
  const { url, store } = await uploadServer(t)
  const preamble = new Blob([Buffer.alloc(1e6, 'x'), form]).stream()
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'multipart/form-data; boundary=b' }, duplex: 'half', body: preamble } as RequestInit)
  t.equal(answer.status, 413)
  t.match(await answer.json(), { code: 'UPLOAD_TOO_LARGE' })
  t.same(store.files, [])
})

t.test('a connection goes on after an upload, and after a failed one', async (t) => {
  const { port } = await uploadServer(t)
  const { socket } = rawClient(t, port)
  for (const [request, status] of [[rawHead(3) + 'abc', 200], [formHead(5) + '--b\r\n', 400], [rawHead(3) + 'abc', 200]]) {
    socket.write(String(request))
    const [answer] = await once(socket, 'data')
    t.match(answer, new RegExp(`^HTTP/1.1 ${status} `))
  }
})

t.test('a failure of the store is the answer, and nothing is kept', async (t) => {
  for (const body of [Buffer.alloc(900), form]) {
    let writes = 0
    const store = stagingDouble({ onWrite: async () => { if (++writes === 2) throw new StorageFull() } })
    const { url } = await uploadServer(t, { store })
    const chunks = body === form ? [body] : [body.subarray(0, 400), body.subarray(400)]
    const stream = new ReadableStream({
      async pull (controller) {
        const chunk = chunks.shift()
        if (chunk === undefined) return controller.close()
        controller.enqueue(chunk)
        await new Promise((resolve) => setTimeout(resolve, 20))
      },
    })
    const headers = body === form ? { 'content-type': 'multipart/form-data; boundary=b' } : {}
    const answer = await fetch(url, { method: 'POST', body: stream, headers, duplex: 'half' } as RequestInit)
    t.equal(answer.status, 507)
    t.match(await answer.json(), { code: 'STORAGE_FULL' })
    t.ok(store.files.length > 0 && store.states().every((state) => state === 'discarded'))
  }
})

t.test('a store that cannot stage is the answer', async (t) => {
  const store = stagingDouble()
  store.stage = async () => { throw new StorageFull() }
  const { url } = await uploadServer(t, { store })
  for (const init of [{ body: 'abc' }, { body: form, headers: { 'content-type': 'multipart/form-data; boundary=b' } }]) {
    t.equal((await fetch(url, { method: 'POST', ...init })).status, 507)
  }
})

t.test('memory stays bounded while a slow disk holds up a fast client', async (t) => {
  const { promise: moved, resolve: move } = Promise.withResolvers<void>()
  const store = stagingDouble({ keeps: false, onWrite: () => moved })
  const { port } = await uploadServer(t, { store, maxBytes: 1e9 })
  for (const head of [rawHead(500e6), formHead(500e6) + '--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n']) {
    const { socket } = rawClient(t, port)
    socket.write(head)
    let taken = 0
    const chunk = Buffer.alloc(1024 ** 2)
    const pump = () => { for (let more = true; more && taken < 400e6; taken += chunk.length) more = socket.write(chunk, () => {}) }
    socket.on('drain', pump)
    pump()
    let last = -1
    t.ok(await eventually(async () => {
      await new Promise((resolve) => setTimeout(resolve, 100))
      const stands = taken === last
      last = taken
      return stands
    }), 'the client is held up')
    t.ok(taken < 60e6, `after ${taken} bytes, most of them in the buffers of the system`)
    socket.destroy()
  }
  move()
})

t.test('an upload that is ended from here is told why, also before its body came, and leaves nothing', async (t) => {
  const reason = Object.assign(new Error('not any more'), { statusCode: 410, code: 'NO_MORE' })
  for (const head of [rawHead(900), formHead(form.length)]) {
    const ended = new AbortController()
    const { port, store, errors } = await uploadServer(t, { signal: ended.signal })
    const { socket, closed } = rawClient(t, port)
    socket.write(Buffer.concat([Buffer.from(head), head.includes('multipart') ? form.subarray(0, 300) : Buffer.alloc(500)]))
    t.ok(await eventually(() => store.files.length === 1))
    ended.abort(reason)
    t.ok(await eventually(() => errors.length === 1))
    socket.end()
    t.match(await closed, /^HTTP\/1\.1 410 /)
    t.match(errors, [{ code: 'NO_MORE' }])
    t.ok(store.files.every(({ state }) => state === 'discarded'))
  }
  const { url, errors } = await uploadServer(t, { signal: AbortSignal.abort(reason) })
  await fetch(url, { method: 'POST', body: 'x', headers: { 'content-type': 'image/png' } })
  t.match(errors, [{ code: 'NO_MORE' }])
})

t.test('the fields of a form are told as they come', async (t) => {
  const heard: string[] = []
  const { url } = await uploadServer(t, { onField: (name, value) => heard.push(`${name} ${value}`) })
  const body = multipart([{ name: 'unknown', content: 'x' }, { name: 'visibility', content: 'public' }, { filename: 'a', content: 'a' }])
  t.equal((await fetch(url, { method: 'POST', body: new Uint8Array(body), headers: { 'content-type': 'multipart/form-data; boundary=b' } })).status, 200)
  t.same(heard, ['visibility public'])
})
