import { mock } from 'node:test'
import Fastify from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { test, type Test } from 'tap'
import { erasures } from '../../src/plugins/erasures.ts'
import { coordinationDouble } from '../fixtures/coordination.ts'
import { collectLog } from '../fixtures/log.ts'

const nothing = { owners: 0, blobs: 0 }

function setUp (t: Test, { leads = true, isReplayedAtStart = true } = {}) {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const log = collectLog()
  const order: string[] = []
  const others = coordinationDouble({ leads })
  const work = { replay: async () => nothing, followUp: async () => nothing }
  const app = Fastify({ logger: { level: 'info', stream: log.stream } })
  t.teardown(() => app.close())
  app.register(fastifyPlugin(async () => {}, { name: 'storage' }))
  app.register(erasures, {
    coordination: others.coordination,
    isReplayedAtStart,
    replayEveryMs: 12_000,
    erasure: {
      replay ({ isFull = false } = {}) {
        order.push(isFull ? 'everything' : 'replay')
        return work.replay()
      },
      followUp () {
        order.push('follow-up')
        return work.followUp()
      },
    },
  })
  return { app, log, order, work, others }
}

const soon = () => new Promise((resolve) => { setImmediate(resolve) })

test('what is open is carried out before the first request, looked at every few seconds, and everything now and then', async (t) => {
  const { app, order, log } = setUp(t)
  await app.ready()
  t.strictSame(order, ['replay'])
  for (const expected of ['follow-up', 'follow-up', 'everything', 'follow-up']) {
    mock.timers.tick(expected === 'everything' ? 2000 : order.length === 4 ? 3000 : 5000)
    await soon()
    t.equal(order.at(-1), expected)
  }
  t.strictSame(log.lines(), [])
  await app.close()
  mock.timers.tick(60_000)
  t.equal(order.length, 5)
})

test('one at a time; what was done is told, what failed too, and neither keeps the gateway from its start', async (t) => {
  const { app, order, log, work } = setUp(t)
  work.replay = async () => { throw new Error('the disk is gone') }
  await app.ready()
  t.match(log.lines(), [{ level: 50, upkeep: 'erasures', err: { message: 'the disk is gone' } }])
  const { promise, resolve } = Promise.withResolvers<typeof nothing>()
  work.followUp = () => promise
  mock.timers.tick(5000)
  mock.timers.tick(5000)
  t.strictSame(order, ['replay', 'follow-up'])
  let isClosed = false
  const closing = app.close().then(() => { isClosed = true })
  await soon()
  t.equal(isClosed, false, 'a stop waits for it')
  resolve({ owners: 1, blobs: 2 })
  await closing
  t.match(log.lines().at(-1), { level: 30, upkeep: 'erasures', owners: 1, blobs: 2 })
})

test('a gateway that does not lead carries out what is open before its first request, and the rest when it leads', async (t) => {
  const { app, order, others } = setUp(t, { leads: false })
  await app.ready()
  mock.timers.tick(60_000)
  await soon()
  t.strictSame(order, ['replay'])
  others.lead()
  await soon()
  t.strictSame(order, ['replay', 'replay'])
  mock.timers.tick(5000)
  await soon()
  t.equal(order.at(-1), 'follow-up')
})

test('where nothing may be changed, nothing is', async (t) => {
  const { app, order } = setUp(t, { leads: false, isReplayedAtStart: false })
  await app.ready()
  mock.timers.tick(60_000)
  await soon()
  t.strictSame(order, [])
})
