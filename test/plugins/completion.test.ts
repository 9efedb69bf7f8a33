import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { onCompletion, type Completion } from '../../src/plugins/completion.ts'

async function build (t: Test) {
  const app = Fastify({ forceCloseConnections: true })
  const seen: Completion[] = []
  const over = Promise.withResolvers<void>()
  app.addHook('onRequest', async (_request, reply) => onCompletion(reply, (completion) => {
    seen.push(completion)
    over.resolve()
  }))
  app.get('/', async (_request, reply) => reply.code(201).send('fine'))
  app.get('/silent', () => {})
  app.get('/partial', (_request, reply) => { reply.raw.write('some') })
  await app.listen()
  t.teardown(() => app.close())
  const leave = async (path: string, isAnswering: boolean) => {
    const socket = connect((app.server.address() as AddressInfo).port, 'localhost')
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await (isAnswering ? once(socket, 'data') : once(app.server, 'request'))
    socket.destroy()
    await over.promise
  }
  return { app, seen, leave, over: over.promise }
}

test('an answer that is complete is told once, with its status', async (t) => {
  const { app, seen } = await build(t)
  await app.inject('/')
  const address = app.server.address() as AddressInfo
  await fetch(`http://localhost:${address.port}/`).then((response) => response.text())
  await app.close()
  t.match(seen, [{ status: 201, isAborted: false }, { status: 201, isAborted: false }])
  t.equal(seen.length, 2)
  t.ok(seen.every(({ ms }) => ms >= 0 && ms < 5000))
})

test('a client that leaves before the answer is told as 499', async (t) => {
  const { seen, leave } = await build(t)
  await leave('/silent', false)
  t.match(seen, [{ status: 499, isAborted: true }])
})

test('a client that leaves amid the answer has the status it was told', async (t) => {
  const { seen, leave } = await build(t)
  await leave('/partial', true)
  t.match(seen, [{ status: 200, isAborted: true }])
})
