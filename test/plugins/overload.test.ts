import { once } from 'node:events'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { overload, type OverloadOptions } from '../../src/plugins/overload.ts'
import { problems } from '../../src/plugins/problems.ts'

function build (t: Test, options: OverloadOptions) {
  const app = Fastify({ return503OnClosing: false })
  app.register(problems)
  app.register(overload, options)
  for (const url of ['/health/live', '/health/ready', '/metrics', '/work']) app.get(url, async () => 'fine')
  t.teardown(() => app.close())
  return app
}

function block (ms: number) {
  const until = performance.now() + ms
  while (performance.now() < until);
}

async function lag (until: () => boolean) {
  const deadline = performance.now() + 10_000
  while (!until() && performance.now() < deadline) {
    block(100)
    await turn()
  }
}

test('while the event loop lags, work is refused but the watchers are answered', async (t) => {
  const app = build(t, { maxEventLoopDelayMs: 20, sampleIntervalMs: 200 })
  // The first call loads what inject is made of.
  t.equal((await app.inject('/metrics')).statusCode, 200)
  const started = performance.now() + 500
  await lag(() => performance.now() > started)
  const [work, live, metrics] = await Promise.all(['/work', '/health/live', '/metrics'].map((url) => app.inject(url)))
  t.equal(work?.statusCode, 503)
  t.match(work?.json(), { code: 'SERVICE_OVERLOADED' })
  t.equal(work?.headers['retry-after'], '5')
  t.equal(live?.statusCode, 200)
  t.equal(metrics?.statusCode, 200)
})

test('with 0 no request is refused for load', async (t) => {
  const app = build(t, { maxEventLoopDelayMs: 0 })
  await app.ready()
  t.equal((await app.inject('/work')).statusCode, 200)
})

test('while the service stops, new work is refused with a problem and the request in flight is finished', async (t) => {
  const app = build(t, { maxEventLoopDelayMs: 1000 })
  const { promise: isHeld, resolve: release } = Promise.withResolvers<string>()
  app.get('/slow', () => isHeld)
  await app.listen()
  const open = (head: string) => connect((app.server.address() as AddressInfo).port, 'localhost', function (this: Socket) { this.write(head) })
  const slow = open('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(app.server, 'request')
  const late = open('GET /work HTTP/1.1\r\n')
  await once(app.server, 'connection')
  await turn()
  const closed = app.close()
  late.write('Host: x\r\n\r\n')
  await once(app.server, 'request')
  release('finished')
  const [answer, refusal] = await Promise.all([text(slow), text(late), closed])
  t.match(answer, /200 OK.*connection: close.*finished/si, 'on a connection that nobody waits for afterwards')
  t.match(refusal, /503 Service Unavailable.*connection: close.*problem\+json.*SERVICE_STOPPING/si)
})

test('a stop does not wait for a connection that is kept for more, because its answer had begun before', async (t) => {
  const app = build(t, { maxEventLoopDelayMs: 1000 })
  const body = new PassThrough()
  app.get('/stream', () => body)
  await app.listen()
  const socket = connect((app.server.address() as AddressInfo).port, 'localhost', function (this: Socket) { this.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n') })
  body.write('begun')
  await once(socket, 'data')
  const closed = app.close()
  await turn()
  body.end(', ended')
  const [answer] = await Promise.all([text(socket), closed])
  t.match(answer, /ended/)
})
