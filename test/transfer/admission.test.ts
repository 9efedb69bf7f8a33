import { once } from 'node:events'
import t from 'tap'
import { StorageFull } from '../../src/errors.ts'
import { maxBodyBytes } from '../../src/transfer/admission.ts'
import { stagingDouble } from './fixtures/staging-double.ts'
import { eventually, multipart, multipartHeaders, rawClient, uploadServer } from './fixtures/upload-server.ts'

t.test('a raw body may be as large as a file, a multipart body as its files and 64 KiB', async (t) => {
  t.equal(maxBodyBytes({ maxBytes: 1000, maxFiles: 3 }, false), 1000)
  t.equal(maxBodyBytes({ maxBytes: 1000, maxFiles: 3 }, true), 3000 + 65_536)
})

t.test('a declared length over the limit is refused before a byte of the body is read', async (t) => {
  const { port, store, errors } = await uploadServer(t)
  for (const [type, length] of [['image/png', 1001], ['multipart/form-data; boundary=b', 2000 + 65_537], ['Multipart/Form-Data; boundary=b', 2000 + 65_537]] as const) {
    const { socket } = rawClient(t, port)
    socket.write(`POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`)
    const [answer] = await once(socket, 'data')
    t.match(answer, /^HTTP\/1\.1 413 .*"UPLOAD_TOO_LARGE"/s)
  }
  t.match(errors, [{ code: 'UPLOAD_TOO_LARGE' }, { code: 'UPLOAD_TOO_LARGE' }, { code: 'UPLOAD_TOO_LARGE' }])
  t.same(store.files, [])
  t.same(store.reservations, [], 'no space was set aside')
})

t.test('a compressed body is refused, an identical one is not', async (t) => {
  const { url, store } = await uploadServer(t)
  const refused = await fetch(url, { method: 'POST', body: 'abc', headers: { 'content-encoding': 'gzip' } })
  t.equal(refused.status, 415)
  t.match(await refused.json(), { code: 'CONTENT_TYPE_UNSUPPORTED' })
  t.same(store.files, [])
  const accepted = await fetch(url, { method: 'POST', body: 'abc', headers: { 'content-encoding': 'Identity' } })
  t.equal(accepted.status, 200)
})

t.test('a full storage is the answer, before the body', async (t) => {
  const store = stagingDouble()
  store.reserve = async () => { throw new StorageFull() }
  const { url } = await uploadServer(t, { store })
  const answer = await fetch(url, { method: 'POST', body: 'abc' })
  t.equal(answer.status, 507)
  t.match(await answer.json(), { code: 'STORAGE_FULL' })
  t.same(store.files, [])
})

t.test('the declared length is set aside, nothing for a body of unknown length', async (t) => {
  const { url, store } = await uploadServer(t)
  await fetch(url, { method: 'POST', body: 'abc' })
  await fetch(url, { method: 'POST', body: new Blob(['abc']).stream(), duplex: 'half' } as RequestInit)
  t.same(store.reservations.map(({ bytes }) => bytes), [3, 0])
})

t.test('what was set aside is given back exactly once', async (t) => {
  const { url, port, store } = await uploadServer(t)
  const releases = () => store.reservations.map((reservation) => reservation.releases)

  const success = await fetch(url, { method: 'POST', body: 'abc' })
  t.equal(success.status, 200)
  t.ok(await eventually(() => releases()[0] === 1), 'after a success')

  const failure = await fetch(url, { method: 'POST', body: multipart([], { ending: 'x' }), headers: multipartHeaders })
  t.equal(failure.status, 400)
  t.ok(await eventually(() => releases()[1] === 1), 'after a failure')

  const { socket } = rawClient(t, port)
  socket.write('POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc')
  t.ok(await eventually(() => store.files.length === 2))
  t.same(releases(), [1, 1, 0], 'not while it goes on')
  socket.destroy()
  t.ok(await eventually(() => releases()[2] === 1), 'after the client left')

  await fetch(url, { method: 'POST', body: 'abc' })
  t.ok(await eventually(() => releases()[3] === 1))
  t.same(releases(), [1, 1, 1, 1])
})

t.test('what was set aside for a client that left meanwhile is given back', async (t) => {
  const store = stagingDouble()
  const { promise: mayReserve, resolve: letReserve } = Promise.withResolvers<void>()
  const { reserve } = store
  let asked = 0
  store.reserve = async (bytes) => {
    asked++
    await mayReserve
    return reserve(bytes)
  }
  const { app, port, errors } = await uploadServer(t, { store })
  const { socket } = rawClient(t, port)
  socket.write('POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc')
  t.ok(await eventually(() => asked === 1))
  socket.destroy()
  t.ok(await eventually(() => new Promise((resolve) => app.server.getConnections((_error, count) => resolve(count === 0)))))
  letReserve()
  t.ok(await eventually(() => store.reservations.length === 1 && errors.length === 1))
  t.same(store.reservations, [{ bytes: 100, releases: 1 }])
  t.match(errors, [{ code: 'UPLOAD_ABORTED' }])
})
