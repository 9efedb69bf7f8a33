import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { StorageFull, UploadAborted, UploadTooLarge } from '../../src/errors.ts'
import { createMetrics, metricsEndpoint, type MetricsSources } from '../../src/plugins/metrics.ts'
import { methods } from '../../src/plugins/methods.ts'
import { problems } from '../../src/plugins/problems.ts'

const sources: MetricsSources = { freeBytes: async () => 5000, staging: async () => ({ files: 2, bytes: 300 }) }

function build (t: Test, given: Partial<MetricsSources> = {}, freshMs = 0) {
  const app = Fastify()
  const metrics = createMetrics({ ...sources, ...given })
  app.register(problems)
  app.register(metricsEndpoint, { metrics, freshMs })
  app.register(methods)
  app.get('/items/:id', async () => 'fine')
  app.post('/items/:id', async () => { throw new UploadTooLarge(1) })
  app.get('/broken', async () => { throw new Error('unknown') })
  t.teardown(() => app.close())
  return { app, metrics, scrape: async () => (await app.inject('/metrics')).body }
}

test('requests are counted by route, never by path', async (t) => {
  const { app, scrape } = build(t)
  for (const url of ['/items/1', '/items/2', '/nothing/1', '/nothing/2']) await app.inject(url)
  await app.inject({ method: 'DELETE', url: '/items/1' })
  const text = await scrape()
  t.match(text, 'http_request_duration_seconds_count{method="GET",route="/items/:id",status="200"} 2')
  t.match(text, 'http_request_duration_seconds_count{method="any",route="none",status="404"} 2')
  t.match(text, 'http_request_duration_seconds_count{method="any",route="none",status="405"} 1')
  t.notMatch(text, 'nothing')
})

test('refusals are counted by code, those of the framework and the unknown too', async (t) => {
  const { app, scrape } = build(t)
  await app.inject({ method: 'POST', url: '/items/1' })
  await app.inject({ method: 'POST', url: '/items/1', payload: '{', headers: { 'content-type': 'application/json' } })
  await app.inject('/broken')
  await app.inject('/nothing')
  const text = await scrape()
  for (const code of ['UPLOAD_TOO_LARGE', 'REQUEST_INVALID', 'INTERNAL_ERROR', 'ROUTE_NOT_FOUND']) t.match(text, `refusals_total{code="${code}"} 1`)
})

test('uploads are counted by kind and outcome', async (t) => {
  const { metrics, scrape } = build(t)
  metrics.uploadKept('avatar', 100, 0.2)
  metrics.uploadKept('avatar', 50, 0.3)
  metrics.uploadLost('attachment', new UploadTooLarge(1), 0.1)
  metrics.uploadLost('attachment', new UploadAborted(), 0.1)
  metrics.uploadLost('attachment', new StorageFull(), 0.1)
  metrics.uploadLost('attachment', new Error('unknown'), 0.1)
  const text = await scrape()
  t.match(text, 'uploads_total{kind="avatar",outcome="kept"} 2')
  t.match(text, 'upload_bytes_total{kind="avatar"} 150')
  t.match(text, 'upload_duration_seconds_sum{kind="avatar",outcome="kept"} 0.5')
  t.match(text, 'uploads_total{kind="attachment",outcome="refused"} 1')
  t.match(text, 'uploads_total{kind="attachment",outcome="aborted"} 1')
  t.match(text, 'uploads_total{kind="attachment",outcome="failed"} 2')
})

test('jobs of pictures are counted by outcome, and those that wait at each scrape', async (t) => {
  let waiting = 3
  const { metrics, scrape } = build(t, { leads: () => waiting > 0, waitingPictureJobs: () => waiting })
  metrics.pictureJobEnded('render', 'done')
  metrics.pictureJobEnded('render', 'done')
  metrics.pictureJobEnded('inspect', 'lost')
  const text = await scrape()
  for (const line of ['picture_jobs_total{job="render",outcome="done"} 2', 'picture_jobs_total{job="inspect",outcome="lost"} 1', 'picture_jobs_waiting 3']) t.match(text, line)
  waiting = 0
  t.match(text, /^uploads_leads 1$/m)
  t.match(await scrape(), /^picture_jobs_waiting 0$/m)
  t.match(await scrape(), /^uploads_leads 0$/m)
})

test('space and staging are read at each scrape', async (t) => {
  let free = 5000
  const { scrape } = build(t, { freeBytes: async () => free })
  t.match(await scrape(), 'uploads_free_bytes 5000')
  free = 4000
  const text = await scrape()
  for (const line of ['uploads_free_bytes 4000', 'uploads_staging_bytes 300', 'uploads_staging_files 2']) t.match(text, line)
})

test('what cannot be read is left out, and the rest is answered', async (t) => {
  let isBroken = false
  const { app, scrape } = build(t, {
    deadlineMs: 5,
    freeBytes: async () => {
      if (isBroken) throw new Error('gone')
      return 1
    },
    staging: () => new Promise(() => {}),
  })
  t.match(await scrape(), /^uploads_free_bytes 1$/m)
  isBroken = true
  const text = await scrape()
  t.notMatch(text, /^uploads_(free|staging)/m)
  t.match(text, 'process_resident_memory_bytes')
  t.match((await app.inject('/metrics')).headers, { 'content-type': /^text\/plain; version=0.0.4/, 'cache-control': 'no-store' })
})

test('two apps in one process count apart, and tell the same of the process', async (t) => {
  const [one, two] = [build(t), build(t)]
  one.metrics.uploadKept('avatar', 1, 1)
  t.notMatch(await two.scrape(), 'uploads_total{')
  t.match(await two.scrape(), 'nodejs_version_info')
})

test('one scrape serves all who ask within a second', async (t) => {
  let asked = 0
  const { scrape } = build(t, { freeBytes: async () => { asked += 1; return 1 } }, 60_000)
  t.equal(await scrape(), await scrape())
  t.equal(asked, 1)
})

test('whether the last sweep was held up, and when one last ran to its end', async (t) => {
  const { metrics, scrape } = build(t)
  t.match(await scrape(), /^uploads_sweep_stopped 0$/m)
  t.notMatch(await scrape(), /^uploads_sweep_last_success/m, 'before the first there is no such time')
  const before = Date.now() / 1000
  metrics.sweepEnded('done')
  metrics.sweepEnded('stopped')
  const text = await scrape()
  t.match(text, /^uploads_sweep_stopped 1$/m)
  const [, at] = /^uploads_sweep_last_success_timestamp_seconds ([\d.]+)$/m.exec(text) ?? []
  t.ok(Number(at) >= before && Number(at) <= Date.now() / 1000, 'a stop is no success')
  metrics.sweepEnded('done')
  t.match(await scrape(), /^uploads_sweep_stopped 0$/m)
})

test('what an audit found is told once there was one', async (t) => {
  const { metrics, scrape } = build(t)
  t.notMatch(await scrape(), /^uploads_audit_missing/m)
  metrics.audited({ missing: 1, corrupt: 2, foreign: 3, finishedAt: 1_500_500 })
  metrics.auditRead(100)
  metrics.auditRead(50)
  const text = await scrape()
  for (const line of ['uploads_audit_missing 1', 'uploads_audit_corrupt 2', 'uploads_audit_foreign 3', 'uploads_audit_last_success_timestamp_seconds 1500.5', 'uploads_audit_checked_bytes_total 150']) t.match(text, line)
})

test('what uploads leave alone is told where it is known', async (t) => {
  t.match(await build(t, { reserveBytes: async () => 77 }).scrape(), 'uploads_reserve_bytes 77')
  t.notMatch(await build(t).scrape(), /^uploads_reserve_bytes/m)
})

test('a gateway that leads no more says nothing of sweeps that others do by now', async (t) => {
  let leads = true
  const { metrics, scrape } = build(t, { leads: () => leads })
  metrics.sweepEnded('stopped')
  t.match(await scrape(), /^uploads_sweep_stopped 1$/m)
  leads = false
  t.match(await scrape(), /^uploads_sweep_stopped 0$/m)
})
