// Of answers that nobody reads, and requests sent before the answers to earlier ones were read.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { test } from 'tap'
import { representationOf } from './fixtures/representation.ts'
import { portOf, serving } from './fixtures/serving.ts'

const bytes = Buffer.alloc(5 * 1024 ** 2, 'x')

test('of pipelined requests, only the one whose turn it is has its file open', async (t) => {
  let open = 0
  let most = 0
  let opened = 0
  const { app } = await serving(t, () => representationOf(bytes, {
    read: async () => {
      open += 1
      opened += 1
      most = Math.max(most, open)
      return Readable.from([bytes]).once('close', () => { open -= 1 })
    },
  }))
  const client = connect(await portOf(app), '127.0.0.1')
  t.teardown(() => client.destroy())
  client.pause()
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(200))
  await once(app.server, 'request')
  await new Promise((resolve) => { setTimeout(resolve, 200) })
  t.equal(opened, 1, 'the second waits until the first is read')

  let received = 0
  client.on('data', (chunk) => { received += chunk.length })
  client.resume()
  while (received < 10 * bytes.length) await once(client, 'data')
  t.ok(opened >= 10)
  t.ok(most <= 2, `${most} open at once`)
})

test('a request that waits for its turn and whose client leaves opens nothing', async (t) => {
  let opened = 0
  const { app, log } = await serving(t, () => representationOf(bytes, { read: async () => { opened += 1; return Readable.from([bytes]) } }))
  const client = connect(await portOf(app), '127.0.0.1').on('error', () => {})
  const [connection] = await Promise.all([once(app.server, 'connection').then(([socket]) => socket as Socket), once(client, 'connect')])
  client.pause()
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3))
  await once(app.server, 'request')
  client.destroy()
  // Not once(): the connection may end with an error.
  await new Promise((resolve) => { connection.once('close', resolve) })
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  t.ok(opened <= 1)
  t.same(log.filter(({ level }) => level > 40), [])
})

test('a client that takes no byte for a minute is cut off', async (t) => {
  const { app } = await serving(t, representationOf(bytes))
  const port = await portOf(app)
  const connection = once(app.server, 'connection').then(([socket]) => socket as Socket)
  const client = connect(port, '127.0.0.1')
  t.teardown(() => client.destroy())
  client.pause()
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const socket = await connection
  await once(app.server, 'request')
  while (socket.bytesWritten === 0) await new Promise((resolve) => { setTimeout(resolve, 10) })
  t.equal(socket.timeout, 60_000)
  socket.emit('timeout')
  await once(socket, 'close')
})
