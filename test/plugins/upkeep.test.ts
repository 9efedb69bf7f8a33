import { mock } from 'node:test'
import Fastify from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { test, type Test } from 'tap'
import { upkeep } from '../../src/plugins/upkeep.ts'
import { coordinationDouble } from '../fixtures/coordination.ts'
import { collectLog } from '../fixtures/log.ts'

const nothing = { staging: 0, sidecars: 0, orphans: 0, pending: 0, trash: 0, quota: 0, forgotten: 0 }

function setUp (t: Test, { sweepEveryMs = 3_600_000, leads = true, isStagingShared = true } = {}) {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const log = collectLog()
  const order: string[] = []
  const others = coordinationDouble({ leads })
  const work = {
    sweep: async (_stopping: AbortSignal) => nothing,
    removeDeadStaging: async () => 0,
    settleSidecars: async () => 0,
  }
  const noting = <T>(name: string, does: (stopping: AbortSignal) => Promise<T>) => (stopping = new AbortController().signal) => {
    order.push(name)
    return does(stopping)
  }
  const app = Fastify({ logger: { level: 'info', stream: log.stream } })
  t.teardown(() => app.close())
  app.register(fastifyPlugin(async (instance) => { instance.addHook('onClose', async () => { order.push('closed') }) }, { name: 'storage' }))
  app.register(upkeep, {
    coordination: others.coordination,
    isStagingShared,
    sweepEveryMs,
    sweep: noting('sweep', (stopping) => work.sweep(stopping)),
    removeDeadStaging: noting('staging', () => work.removeDeadStaging()),
    settleSidecars: noting('sidecars', () => work.settleSidecars()),
  })
  return { app, log, order, work, others }
}

test('what died is cleaned up before the first request; the sweep is not hurried', async (t) => {
  const { app, log, order, work } = setUp(t)
  const { promise: isHeld, resolve: release } = Promise.withResolvers<number>()
  work.settleSidecars = () => isHeld
  let isReady = false
  const ready = app.ready().then(() => { isReady = true })
  await new Promise((resolve) => { setImmediate(resolve) })
  t.strictSame(order, ['staging', 'sidecars'])
  t.equal(isReady, false)
  release(2)
  await ready
  t.match(log.lines(), [{ level: 30, upkeep: 'sidecars', sidecars: 2 }])
})

test('staging is looked at every minute, the rest as often as is set, and nothing to tell is not told', async (t) => {
  const { app, log, order, work } = setUp(t, { sweepEveryMs: 150_000 })
  await app.ready()
  order.length = 0
  mock.timers.tick(59_999)
  t.strictSame(order, [])
  mock.timers.tick(1)
  t.strictSame(order, ['staging'])
  mock.timers.tick(90_000)
  t.strictSame(order, ['staging', 'staging', 'sweep'])
  t.strictSame(log.lines(), [])
  work.sweep = async () => ({ ...nothing, orphans: 1 })
  mock.timers.tick(150_000)
  await app.close()
  t.match(log.lines(), [{ level: 30, upkeep: 'sweep', orphans: 1, trash: 0 }])
})

test('a clean-up that fails is logged once, and stops neither the start nor the next one', async (t) => {
  const { app, log, order, work } = setUp(t)
  work.settleSidecars = () => Promise.reject(new Error('no database'))
  await app.ready()
  t.match(log.lines(), [{ level: 50, upkeep: 'sidecars', err: { message: 'no database' } }])
  work.sweep = () => Promise.reject(new Error('no volume'))
  mock.timers.tick(3_600_000)
  mock.timers.tick(3_600_000)
  t.equal(order.filter((name) => name === 'sweep').length, 2)
  await app.close()
  t.equal(log.lines().filter(({ level }) => level === 50).length, 3)
})

test('an interval too long for a timer is not taken for none', async (t) => {
  const { app, order } = setUp(t, { sweepEveryMs: 2 ** 31 + 1000 })
  await app.ready()
  mock.timers.tick(3_600_000)
  t.notOk(order.includes('sweep'))
})

test('a stop waits for a clean-up under way before volume and database close, and starts no other', async (t) => {
  const { app, order, work } = setUp(t)
  await app.ready()
  const { promise: isHeld, resolve: release } = Promise.withResolvers<typeof nothing>()
  work.sweep = () => isHeld
  mock.timers.tick(3_600_000)
  order.length = 0
  const closed = app.close()
  await new Promise((resolve) => { setImmediate(resolve) })
  t.strictSame(order, [])
  release(nothing)
  await closed
  mock.timers.tick(7_200_000)
  t.strictSame(order, ['closed'])
})

test('a chore that takes long hears of a stop', async (t) => {
  const { app } = setUp(t)
  await app.ready()
  let isStopped = false
  app.doNowAndThen({
    name: 'dishes', everyMs: 1000, run: (stopping) => new Promise((resolve) => {
      t.notOk(stopping.aborted)
      stopping.addEventListener('abort', () => {
        isStopped = true
        resolve(1)
      })
    })
  })
  mock.timers.tick(1000)
  await app.close()
  t.ok(isStopped)
})

test('a chore is done now and then, never beside itself, and its failure ends nothing', async (t) => {
  const { app, log } = setUp(t)
  await app.ready()
  const { promise: isHeld, resolve: release } = Promise.withResolvers<number>()
  const runs = [() => isHeld, async () => { throw new Error('no') }, async () => 3]
  let begun = 0
  app.doNowAndThen({ name: 'dishes', everyMs: 1000, run: async () => runs[begun++]?.() ?? 0 })
  mock.timers.tick(3000)
  t.equal(begun, 1, 'one at a time')
  release(0)
  await isHeld
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve()
  mock.timers.tick(1000)
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve()
  mock.timers.tick(1000)
  await app.close()
  t.equal(begun, 3)
  t.match(log.lines().filter(({ upkeep: name }) => name === 'dishes'), [{ msg: 'Upkeep failed: dishes.' }, { dishes: 3 }])
})

test('a gateway that does not lead leaves all to the one that does; when it begins to, nothing waits for its interval', async (t) => {
  const { app, order, others } = setUp(t, { leads: false })
  await app.ready()
  let dishes = 0
  app.doNowAndThen({ name: 'dishes', everyMs: 1000, run: async () => { dishes += 1; return 0 } })
  mock.timers.tick(7_200_000)
  t.strictSame(order, [])
  t.equal(dishes, 0)
  others.lead()
  t.strictSame(order, ['staging', 'sidecars', 'sweep'])
  t.equal(dishes, 1)
  mock.timers.tick(3_600_000)
  t.equal(order.filter((name) => name === 'sweep').length, 2)
})

test('one that begins to lead before it is ready begins then; one that stops does not', async (t) => {
  const { app, order, others } = setUp(t, { leads: false })
  app.after(() => others.lead())
  await app.ready()
  t.strictSame(order, ['staging', 'sidecars', 'sweep'])
  await app.close()
  order.length = 0
  others.lead()
  t.strictSame(order, [])
})

test('where each gateway has its own staging, each looks after that', async (t) => {
  const { app, order, work, log } = setUp(t, { leads: false, isStagingShared: false })
  await app.ready()
  work.removeDeadStaging = () => Promise.reject(new Error('no disk'))
  mock.timers.tick(60_000)
  t.strictSame(order, ['staging', 'staging'])
  await app.close()
  t.match(log.lines(), [{ level: 50, upkeep: 'staging', err: { message: 'no disk' } }])
})

test('what is under way hears that the lead is lost, which is no failure', async (t) => {
  const { app, work, others, log } = setUp(t)
  await app.ready()
  work.sweep = (stopping) => new Promise((_resolve, reject) => { stopping.addEventListener('abort', () => reject(stopping.reason)) })
  mock.timers.tick(3_600_000)
  others.lose()
  await new Promise((resolve) => { setImmediate(resolve) })
  t.match(log.lines(), [{ level: 30, upkeep: 'sweep', msg: 'Upkeep ended early: sweep.' }])
})

test('one that leads again while what it was at before still ends begins all of it then', async (t) => {
  const { app, order, others } = setUp(t)
  const { promise: isHeld, resolve: release } = Promise.withResolvers<void>()
  let chores = 0
  app.after(() => app.doNowAndThen({
    name: 'chore', everyMs: 3_600_000,
    async run (stopping) {
      chores += 1
      if (chores > 1) return 0
      await isHeld
      stopping.throwIfAborted()
      return 1
    },
  }))
  await app.ready()
  others.lose()
  others.lead()
  await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(chores, 1)
  order.length = 0
  others.lose()
  others.lead()
  t.strictSame(order, [], 'none beside the one before')
  release()
  await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(chores, 2)
  t.strictSame(order, ['staging', 'sidecars', 'sweep'])
})
