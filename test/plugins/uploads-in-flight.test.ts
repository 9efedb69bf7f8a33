import { mock } from 'node:test'
import Fastify, { type FastifyRequest } from 'fastify'
import { test, type Test } from 'tap'
import { beginUpload, uploadFor, uploadsInFlight } from '../../src/plugins/uploads-in-flight.ts'
import { coordinationDouble } from '../fixtures/coordination.ts'
import { collectLog } from '../fixtures/log.ts'

function setUp (t: Test) {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const log = collectLog()
  const others = coordinationDouble()
  const state = { epoch: 3, erased: [] as Array<{ ownerKey: string, epoch: number }>, asked: [] as number[] }
  const owners = {
    keyOf: (id: string) => `key of ${id}`,
    epoch: async () => state.epoch,
    async erasedSince (epoch: number) {
      state.asked.push(epoch)
      if (state.epoch < 0) throw new Error('the database is gone')
      return state.erased.filter((one) => one.epoch > epoch)
    },
  }
  const app = Fastify({ logger: { level: 'warn', stream: log.stream } })
  t.teardown(() => app.close())
  app.register(uploadsInFlight, { owners, coordination: others.coordination })
  const begun: Record<string, FastifyRequest> = {}
  const { promise: end, resolve: endAll } = Promise.withResolvers<void>()
  app.after(() => {
    app.post<{ Params: { name: string } }>('/:name', { onRequest: beginUpload }, async (request) => {
      begun[request.params.name] = request
      await end
      return {}
    })
    app.get('/none', async (request) => uploadFor(request, 'ada'))
  })
  const check = async () => {
    mock.timers.tick(5000)
    await new Promise((resolve) => { setImmediate(resolve) })
  }
  const begin = async (name: string) => {
    const answer = app.inject({ method: 'POST', url: `/${name}` })
    answer.catch(() => {})
    while (begun[name] === undefined) await new Promise((resolve) => { setImmediate(resolve) })
    return { answer, upload: (owner?: string) => uploadFor(begun[name] as FastifyRequest, owner) }
  }
  return { app, log, state, check, begin, endAll, others }
}

test('an upload ends when one whom it concerns was erased since it began, also when that is known only later', async (t) => {
  const { state, check, begin, endAll, app } = setUp(t)
  await app.ready()
  const [ada, bob, service, nobody] = [await begin('ada'), await begin('bob'), await begin('service'), await begin('nobody')]
  const uploads = [ada.upload('ada'), bob.upload('bob'), service.upload('billing'), nobody.upload()]
  t.strictSame(uploads.map(({ epoch }) => epoch), [3, 3, 3, 3])
  state.erased = [{ ownerKey: 'key of bob', epoch: 3 }, { ownerKey: 'key of ada', epoch: 4 }]
  state.epoch = 4
  const later = (await begin('later')).upload('ada')
  await check()
  t.strictSame([...uploads, later].map(({ signal }) => signal.aborted), [true, false, false, false, false])
  t.match(uploads[0]?.signal.reason, { code: 'OWNER_ERASED', statusCode: 410 })
  uploads[2]?.concerns('ada')
  await check()
  t.equal(uploads[2]?.signal.aborted, true)
  t.strictSame(state.asked, [3, 3])
  endAll()
  await Promise.all([ada.answer, bob.answer, service.answer, nobody.answer])
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  await check()
  t.strictSame(state.asked.length, 2, 'with nothing in flight nothing is asked')
})

test('where it cannot be asked, that is told and asked again', async (t) => {
  const { state, check, begin, endAll, log, app } = setUp(t)
  await app.ready()
  const { upload, answer } = await begin('ada')
  const { signal } = upload('ada')
  state.epoch = -1
  await check()
  t.match(log.lines(), [{ level: 40, err: { message: 'the database is gone' } }])
  state.epoch = 5
  state.erased = [{ ownerKey: 'key of ada', epoch: 4 }]
  await check()
  t.equal(signal.aborted, true)
  endAll()
  await answer
})

test('a route that did not begin an upload has none', async (t) => {
  const { app } = setUp(t)
  t.match((await app.inject('/none')).statusCode, 500)
})

test('who hears of an erasure, or may have missed one, looks at once', async (t) => {
  const { state, begin, endAll, app, others } = setUp(t)
  await app.ready()
  for (const topic of ['erased', 'reconnected'] as const) {
    const { upload, answer } = await begin(topic)
    const { signal } = upload('ada')
    state.erased = [{ ownerKey: 'key of ada', epoch: 4 }]
    others.hear(topic, '')
    await new Promise((resolve) => { setImmediate(resolve) })
    t.equal(signal.aborted, true, topic)
    answer.catch(() => {})
  }
  endAll()
})
