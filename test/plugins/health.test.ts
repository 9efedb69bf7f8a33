import { connect, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { health, type HealthOptions } from '../../src/plugins/health.ts'
import { logging } from '../../src/plugins/logger.ts'
import { collectLog } from '../fixtures/log.ts'

function build (t: Test, options: HealthOptions) {
  const log = collectLog()
  const app = Fastify({ ...logging({ level: 'info', isTerminal: false, stream: log.stream }), return503OnClosing: false })
  app.register(health, options)
  t.teardown(() => app.close())
  return { app, log }
}

test('live answers whatever the checks say', async (t) => {
  const { app } = build(t, { checks: [{ name: 'volume', check: async () => { throw new Error('gone') } }] })
  const response = await app.inject('/health/live')
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), { status: 'live' })
  t.equal(response.headers['cache-control'], 'no-store')
  t.equal((await app.inject({ method: 'HEAD', url: '/health/live' })).statusCode, 200)
})

test('ready when every check passes', async (t) => {
  const { app } = build(t, { checks: [{ name: 'volume', check: async () => {} }, { name: 'database', check: async () => {} }] })
  const response = await app.inject('/health/ready')
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), { status: 'ready', checks: { volume: 'ok', database: 'ok' } })
})

test('not ready when one fails: which is told, why is only logged, and only when it changes', async (t) => {
  let time = 0
  let isBroken = true
  const { app, log } = build(t, {
    now: () => time,
    checks: [{ name: 'volume', check: async () => {} }, { name: 'database', check: async () => { if (isBroken) throw new Error('geheim') } }],
  })
  const response = await app.inject('/health/ready')
  t.equal(response.statusCode, 503)
  t.equal(response.headers['cache-control'], 'no-store')
  t.strictSame(response.json(), { status: 'not ready', checks: { volume: 'ok', database: 'failed' } })
  time += 1000
  await app.inject('/health/ready')
  isBroken = false
  time += 1000
  t.equal((await app.inject('/health/ready')).statusCode, 200)
  t.match(log.lines(), [
    { level: 40, check: 'database', verdict: 'failed', err: { message: 'geheim' } },
    { level: 30, check: 'database', verdict: 'ok' },
  ])
  t.equal(log.lines().length, 2)
})

test('a check that hangs makes it not ready after the deadline, and is not started again', async (t) => {
  let time = 0
  let asked = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  const ask = () => {
    asked++
    return promise
  }
  const { app } = build(t, { now: () => time, deadlineMs: 5, checks: [{ name: 'volume', check: ask }] })
  t.strictSame((await app.inject('/health/ready')).json(), { status: 'not ready', checks: { volume: 'no answer' } })
  time += 1000
  t.equal((await app.inject('/health/ready')).statusCode, 503)
  t.equal(asked, 1)
  resolve()
  time += 1000
  t.equal((await app.inject('/health/ready')).statusCode, 200)
})

test('however often it is asked, checks run once at a time and once per second', async (t) => {
  let time = 0
  let asked = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  const ask = () => {
    asked++
    return promise
  }
  const { app } = build(t, { now: () => time, checks: [{ name: 'volume', check: ask }] })
  await app.ready()
  const first = Promise.all([app.inject('/health/ready'), app.inject('/health/ready')])
  setImmediate(resolve)
  t.same((await first).map(({ statusCode }) => statusCode), [200, 200])
  time += 999
  await app.inject('/health/ready')
  t.equal(asked, 1)
  time += 1
  await app.inject('/health/ready')
  t.equal(asked, 2)
})

test('not ready while the service stops', async (t) => {
  const { app } = build(t, { checks: [] })
  const { promise: isHeld, resolve: release } = Promise.withResolvers<string>()
  app.get('/slow', () => isHeld)
  await app.listen()
  const socket = connect((app.server.address() as AddressInfo).port, 'localhost').setEncoding('utf8')
  let answers = ''
  socket.on('data', (text) => { answers += String(text) })
  // Pipelined: the second request is read when the first has been answered, which is while the service stops.
  socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(app.server, 'request')
  const closed = app.close()
  socket.write('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(app.server, 'request')
  release('done')
  await Promise.all([closed, once(socket, 'close')])
  t.match(answers, '503 Service Unavailable')
  t.match(answers, '{"status":"not ready","checks":{"gateway":"stopping"}}')
})
