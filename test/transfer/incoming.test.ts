import { once } from 'node:events'
import t from 'tap'
import { eventually, rawClient, uploadServer } from './fixtures/upload-server.ts'
import { stagingDouble } from './fixtures/staging-double.ts'

const head = 'POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n'
const formHead = 'POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 900\r\n\r\n--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n'

t.test('an upload that stands still is answered with 408, and its connection closed', async (t) => {
  const { port, store } = await uploadServer(t, { idleMs: 80 })
  for (const bytes of [head, head + 'abc', formHead, formHead + 'abc']) {
    const { socket, closed } = rawClient(t, port)
    socket.write(bytes)
    const answer = await closed
    t.match(answer, /^HTTP\/1\.1 408 /)
    t.match(answer, /connection: close/i)
    t.match(answer, /"UPLOAD_STALLED"/)
  }
  t.ok(store.states().every((state) => state === 'discarded'))
})

t.test('200 dripping clients are closed while others are served', async (t) => {
  const { port, app, store, errors } = await uploadServer(t, { idleMs: 400, minBytesPerSecond: 1024 })
  const clients = Array.from({ length: 200 }, (_, index) => {
    const client = rawClient(t, port)
    client.socket.write(index % 2 === 0 ? head : formHead)
    const drip = setInterval(() => { if (client.socket.writable) client.socket.write('x') }, 50)
    t.teardown(() => clearInterval(drip))
    return client
  })
  t.ok(await eventually(() => store.reservations.length === 200))
  const answers = Promise.all(clients.map(({ closed }) => closed))
  let worstMs = 0
  for (let isOver = false; !isOver;) {
    const start = performance.now()
    await fetch(`http://127.0.0.1:${port}/health`)
    worstMs = Math.max(worstMs, performance.now() - start)
    isOver = await Promise.race([answers, undefined]) !== undefined
  }
  t.equal((await answers).filter((answer) => answer.startsWith('HTTP/1.1 408 ')).length, 200)
  t.ok(worstMs < 1000, `health took at most ${worstMs} ms`)
  t.match(errors, Array(200).fill({ code: 'UPLOAD_STALLED' }))
  t.ok(store.states().every((state) => state === 'discarded'))
  t.ok(app.server.listening)
})

t.test('a disk that stands still is not held against the client', async (t) => {
  const { promise: moved, resolve: move } = Promise.withResolvers<void>()
  const store = stagingDouble({ onWrite: () => moved })
  const { port } = await uploadServer(t, { store, idleMs: 80, minBytesPerSecond: 1024 })
  const { socket } = rawClient(t, port)
  socket.write(head + 'x'.repeat(900))
  setTimeout(move, 500)
  const [answer] = await once(socket, 'data')
  t.match(answer, /^HTTP\/1\.1 200 /)
})

t.test('after the body the watch is over: what the route does may take its time', async (t) => {
  const { url, errors } = await uploadServer(t, { idleMs: 40, after: () => new Promise((resolve) => setTimeout(resolve, 200)) })
  const answer = await fetch(url, { method: 'POST', body: 'abc' })
  t.equal(answer.status, 200)
  t.same(errors, [])
})

t.test('a client that leaves between two parts is noticed', async (t) => {
  const { port, store, errors } = await uploadServer(t)
  const { socket } = rawClient(t, port)
  socket.write(`${formHead}abc\r\n--b\r\n`)
  t.ok(await eventually(() => store.states()[0] === 'finished'))
  socket.resetAndDestroy()
  t.ok(await eventually(() => errors.length === 1))
  t.match(errors, [{ code: 'UPLOAD_ABORTED' }])
  t.same(store.states(), ['discarded'])
})
