import { once } from 'node:events'
import t from 'tap'
import { TokenInvalid } from '../../src/errors.ts'
import { expectContinue } from '../../src/plugins/expect.ts'
import { rawClient, uploadServer } from '../transfer/fixtures/upload-server.ts'

const server = (t: Parameters<typeof uploadServer>[0]) => uploadServer(t, {
  maxBytes: 1e6,
  prepare: async (app) => {
    await app.register(expectContinue)
    app.addHook('onRequest', async ({ headers }) => { if (headers.authorization !== 'Bearer good') throw new TokenInvalid() })
  },
})

const head = (token: string, bytes: number, expectation = '100-continue', path = '/upload') =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nExpect: ${expectation}\r\nContent-Length: ${bytes}\r\n\r\n`

t.test('an admitted upload is asked for its body, once', async (t) => {
  const { port } = await server(t)
  const { socket } = rawClient(t, port)
  for (let round = 0; round < 2; round++) {
    socket.write(head('good', 3))
    const [interim] = await once(socket, 'data')
    t.equal(interim, 'HTTP/1.1 100 Continue\r\n\r\n')
    socket.write('abc')
    const [answer] = await once(socket, 'data')
    t.match(answer, /^HTTP\/1\.1 200 /)
    t.notMatch(answer, /100 Continue/)
    t.notMatch(answer, /connection: close/i)
  }
})

t.test('without an expectation nothing is said in between', async (t) => {
  const { port } = await server(t)
  const { socket } = rawClient(t, port)
  socket.write('POST /upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nContent-Length: 3\r\n\r\nabc')
  const [answer] = await once(socket, 'data')
  t.match(answer, /^HTTP\/1\.1 200 /)
})

t.test('a bad token, a length over the limit and a wrong address cost no byte of the body', async (t) => {
  const { port, store } = await server(t)
  for (const [request, status] of [[head('bad', 100), 401], [head('good', 2e6), 413], [head('good', 100, '100-continue', '/nowhere'), 404]] as const) {
    const { socket, closed } = rawClient(t, port)
    socket.write(request)
    const answer = await closed
    t.match(answer, new RegExp(`^HTTP/1.1 ${status} `))
    t.notMatch(answer, /100 Continue/)
    t.match(answer, /connection: close/i, 'no body will come, so nothing can follow')
  }
  t.same(store.files, [])
})

t.test('other expectations cannot be met', async (t) => {
  const { port } = await server(t)
  const { socket } = rawClient(t, port)
  socket.write(head('good', 3, 'miracles'))
  const [answer] = await once(socket, 'data')
  t.match(answer, /^HTTP\/1\.1 417 /)
})

t.test('a closed app no longer listens', async (t) => {
  const { app } = await server(t)
  t.equal(app.server.listenerCount('checkContinue'), 1)
  await app.close()
  t.equal(app.server.listenerCount('checkContinue'), 0)
})
