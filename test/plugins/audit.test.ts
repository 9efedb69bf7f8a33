import { mock } from 'node:test'
import Fastify from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { test, type Test } from 'tap'
import { audit } from '../../src/plugins/audit.ts'
import { coordinationDouble } from '../fixtures/coordination.ts'
import { collectLog } from '../fixtures/log.ts'

const clean = { records: 5, hashedFiles: 2, hashedBytes: 10, findings: [] }
const finding = { problem: 'blob-missing', path: 'avatars/x', detail: 'The file is missing.', mend: 'Mend it.' }
const counts = { missing: 1, corrupt: 0, foreign: 0, finishedAt: 5000 }

function setUp (t: Test, { everyMs = 3_600_000, leads = true } = {}) {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const log = collectLog()
  const others = coordinationDouble({ leads })
  const seen: unknown[] = []
  const signals: AbortSignal[] = []
  const work = {
    runIfDue: async (_: AbortSignal): Promise<typeof clean | undefined> => clean,
    latest: async (): Promise<typeof counts | undefined> => counts,
  }
  const app = Fastify({ logger: { level: 'info', stream: log.stream } })
  t.teardown(() => app.close())
  app.register(fastifyPlugin(async () => {}, { name: 'storage' }))
  app.register(audit, {
    coordination: others.coordination,
    everyMs,
    metrics: { audited: (given) => { seen.push(given) } },
    audit: {
      runIfDue: (signal) => {
        signals.push(signal)
        return work.runIfDue(signal)
      },
      latest: () => work.latest(),
    },
  })
  const later = async (ms: number) => {
    mock.timers.tick(ms)
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => { setImmediate(resolve) })
  }
  return { app, log, seen, signals, work, later, others }
}

test('the first is soon after the start, not at once, and whether one is due is asked each minute', async (t) => {
  const { app, log, seen, signals, work, later } = setUp(t)
  await app.ready()
  await later(59_999)
  t.equal(signals.length, 0)
  await later(1)
  t.same(seen, [counts])
  t.match(log.lines(), [{ level: 30, audit: 'done', records: 5, findings: 0, msg: /found nothing wrong/ }])
  work.runIfDue = async () => undefined
  await later(60_000)
  t.equal(signals.length, 2)
  t.equal(seen.length, 2, 'another gateway may have done one')
  t.equal(log.lines().length, 1)
})

test('each finding is a line, but not thousands', async (t) => {
  const { app, log, work, later } = setUp(t)
  await app.ready()
  work.runIfDue = async () => ({ ...clean, findings: [finding] as never[] })
  await later(60_000)
  t.match(log.lines(), [{ level: 40, audit: 'blob-missing', path: 'avatars/x', msg: 'avatars/x: The file is missing. Mend it.' }, { level: 30, findings: 1 }])
  work.runIfDue = async () => ({ ...clean, moreFindings: 50, findings: Array.from({ length: 120 }, () => finding) as never[] })
  await later(60_000)
  t.equal(log.lines().length, 2 + 101)
  t.match(log.lines().at(-1), { level: 40, findings: 170, msg: /found 170 things wrong; the first 100/ })
})

test('one at a time; one that fails is told, and asked for again', async (t) => {
  const { app, log, seen, signals, work, later } = setUp(t)
  await app.ready()
  const { promise, reject } = Promise.withResolvers<typeof clean>()
  work.runIfDue = () => promise
  work.latest = async () => undefined
  await later(60_000)
  await later(60_000)
  t.equal(signals.length, 1)
  reject(new Error('no volume'))
  await later(0)
  t.match(log.lines(), [{ level: 50, err: { message: 'no volume' } }])
  work.runIfDue = async () => undefined
  await later(60_000)
  t.equal(signals.length, 2)
  t.same(seen, [])
})

test('a stop ends the audit under way and waits for that', async (t) => {
  const { app, signals, work, later } = setUp(t)
  await app.ready()
  let isOver = false
  work.runIfDue = (signal) => new Promise((resolve) => {
    signal.addEventListener('abort', () => setImmediate(() => {
      isOver = true
      resolve(undefined)
    }))
  })
  await later(60_000)
  await app.close()
  t.equal(isOver, true)
  t.equal(signals[0]?.aborted, true)
  await later(600_000)
  t.equal(signals.length, 1)
})

test('a short interval is asked for as often, and with none there are none', async (t) => {
  const short = setUp(t, { everyMs: 1000 })
  await short.app.ready()
  await short.later(1000)
  t.equal(short.signals.length, 1)
  mock.timers.reset()
  const none = setUp(t, { everyMs: 0 })
  await none.app.ready()
  await none.later(86_400_000)
  t.equal(none.signals.length, 0)
})

test('a gateway that does not lead audits nothing and tells what others found; when it begins to lead it asks at once, and ends with its lead', async (t) => {
  const { app, seen, signals, later, work, others } = setUp(t, { leads: false })
  await app.ready()
  await later(60_000)
  t.equal(signals.length, 0)
  t.strictSame(seen, [counts])
  work.runIfDue = (signal = signals.at(-1)) => new Promise((resolve) => { signal?.addEventListener('abort', () => resolve(undefined)) })
  others.lead()
  await later(0)
  t.equal(signals.length, 1)
  others.lose()
  await later(0)
  t.equal(signals[0]?.aborted, true)
})
