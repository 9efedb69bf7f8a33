// What Prometheus is told: requests by route, uploads, jobs of pictures, refusals, space. Features count their uploads through Metrics.
import fastifyPlugin from 'fastify-plugin'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { ScanOutcome } from '../scanning/scan.ts'
import type { Kind } from '../storage/store.ts'
import { onCompletion } from './completion.ts'
import { withDeadline } from './deadline.ts'
import { knownError } from './foreign-errors.ts'
import type { JobOutcome } from './picture-count.ts'

export type Metrics = {
  /** An upload was answered with success. */
  uploadKept (kind: Kind, bytes: number, seconds: number): void
  /** An upload came to nothing, with the error that was thrown. */
  uploadLost (kind: Kind, error: unknown, seconds: number): void
  /** A process was asked for a picture's job, and it came to its end. */
  pictureJobEnded (job: string, outcome: JobOutcome): void
  /** The scanner was asked about a file. */
  scanEnded (outcome: ScanOutcome): void
  /** An error was answered. */
  refused (error: unknown): void
  /** A sweep has run to its end, or its brake has held it up. */
  sweepEnded (outcome: 'done' | 'stopped'): void
  /** What the last audit of the volume found, and when it ended, in milliseconds since 1970. */
  audited (counts: { missing: number, corrupt: number, foreign: number, finishedAt: number }): void
  /** An audit read and hashed so many bytes more. */
  auditRead (bytes: number): void
  /** The webhook has taken an event. */
  eventSent (): void
  /** It has not. */
  eventFailed (): void
  requestCompleted (labels: { method: string, route: string, status: number }, seconds: number): void
  readonly contentType: string
  /** All of it in the Prometheus text format. */
  text (): Promise<string>
}

/** Read at each scrape. What cannot be read within `deadlineMs` is left out of that scrape. */
export type MetricsSources = {
  freeBytes (): Promise<number>
  /** What of it uploads leave alone. */
  reserveBytes? (): Promise<number>
  staging (): Promise<{ files: number, bytes: number }>
  /** Whether this gateway does what only one of several does. */
  leads? (): boolean
  /** Jobs of pictures that wait for a turn. */
  waitingPictureJobs? (): number
  /** Those of the webhook, not delivered yet and given up; absent where there is none. */
  events? (): Promise<{ waiting: number, dead: number, oldestAt: Date | undefined }>
  readonly deadlineMs?: number
}

/** Seconds: from a cached answer to an hour of upload. */
const durationBuckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800, 3600]

export function createMetrics (sources: MetricsSources): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const counter = (name: string, help: string, ...labelNames: string[]) => new Counter({ name, help, labelNames, registers })
  const seconds = (name: string, help: string, ...labelNames: string[]) => new Histogram({ name, help, labelNames, buckets: durationBuckets, registers })
  const requests = seconds('http_request_duration_seconds', 'Time from the request to the end of its answer.', 'method', 'route', 'status')
  const uploads = counter('uploads_total', 'Uploads by outcome: kept, refused, aborted or failed.', 'kind', 'outcome')
  const uploadBytes = counter('upload_bytes_total', 'Bytes of the uploads that were kept.', 'kind')
  const uploadSeconds = seconds('upload_duration_seconds', 'Time an upload took, whatever its outcome.', 'kind', 'outcome')
  const pictureJobs = counter('picture_jobs_total', 'Jobs of pictures (header, inspect, plan and isSameLook of uploads; master and render of variants; draw of fallbacks) by outcome: done, refused, busy, lost or failed.', 'job', 'outcome')
  const scans = counter('scans_total', 'Files that the scanner was asked about: clean, infected, refused because they could not be scanned, or kept unscanned.', 'outcome')
  const refusals = counter('refusals_total', 'Errors answered, by code.', 'code')
  const sweepEnded = createSweepGauges(registers, sources)
  const auditing = createAuditGauges(registers)
  const eventsSent = counter('webhook_events_sent_total', 'Events that the webhook has taken.')
  const eventsFailed = counter('webhook_attempts_failed_total', 'Attempts to deliver an event that failed; it is tried again.')
  createWaitingGauge(registers, sources)
  createLeadGauge(registers, sources)
  const updateEvents = createEventGauges(registers, sources)
  const updateSpace = createSpaceGauges(registers, sources)

  const uploadEnded = (kind: Kind, outcome: Outcome, duration: number) => {
    uploads.inc({ kind, outcome })
    uploadSeconds.observe({ kind, outcome }, duration)
  }
  return {
    uploadKept (kind, bytes, duration) {
      uploadEnded(kind, 'kept', duration)
      uploadBytes.inc({ kind }, bytes)
    },
    uploadLost: (kind, error, duration) => uploadEnded(kind, outcomeOf(error), duration),
    pictureJobEnded: (job, outcome) => pictureJobs.inc({ job, outcome }),
    scanEnded: (outcome) => scans.inc({ outcome }),
    refused: (error) => refusals.inc({ code: knownError(error).code }),
    sweepEnded,
    ...auditing,
    eventSent: () => eventsSent.inc(),
    eventFailed: () => eventsFailed.inc(),
    requestCompleted: (labels, duration) => requests.observe(labels, duration),
    contentType: registry.contentType,
    async text () {
      await Promise.all([updateSpace(), updateEvents()])
      return Registry.merge([registry, processMetrics()]).metrics()
    },
  }
}

export type MetricsOptions = {
  readonly metrics: Metrics
  /** One scrape serves all who ask within this time: each costs the event loop some milliseconds. */
  readonly freshMs?: number
}

/** Counts every request and every error, and answers GET /metrics. */
export const metricsEndpoint = fastifyPlugin(async (app, { metrics, freshMs = 1000 }: MetricsOptions) => {
  app.addHook('onRequest', async (request, reply) => {
    onCompletion(reply, ({ status, ms }) => {
      // Never the path nor the method of an unknown route: every scanner would add time series.
      const { url: route } = request.routeOptions
      metrics.requestCompleted({ method: route === undefined ? 'any' : request.method, route: route ?? 'none', status }, ms / 1000)
    })
  })
  app.addHook('onError', async (request, _reply, error) => metrics.refused(knownError(error, request)))
  let latest: { text: Promise<string>, madeAt: number } | undefined
  app.get('/metrics', { schema, logLevel: 'warn' }, async (_request, reply) => {
    reply.type(metrics.contentType).header('Cache-Control', 'no-store')
    if (latest === undefined || performance.now() - latest.madeAt >= freshMs) latest = { text: metrics.text(), madeAt: performance.now() }
    return latest.text
  })
}, { name: 'metrics', fastify: '5.x' })

const schema = { tags: ['operations'], summary: 'Metrics in the Prometheus text format', produces: ['text/plain'] }

type Outcome = 'kept' | 'refused' | 'aborted' | 'failed'

function outcomeOf (error: unknown): Outcome {
  const { code, statusCode } = knownError(error)
  if (code === 'UPLOAD_ABORTED' || code === 'UPLOAD_STALLED') return 'aborted'
  return statusCode < 500 ? 'refused' : 'failed'
}

function createSweepGauges (registers: Registry[], { leads = () => true }: MetricsSources): Metrics['sweepEnded'] {
  const stopped: Gauge = new Gauge({
    name: 'uploads_sweep_stopped',
    help: '1 while the last sweep was held up because it would have removed too much.',
    registers,
    // The last one was another gateway's.
    collect: () => { if (!leads()) stopped.set(0) },
  })
  const lastSuccess = new Gauge({ name: 'uploads_sweep_last_success_timestamp_seconds', help: 'When a sweep last ran to its end, in seconds since 1970; absent before the first of this process.', registers })
  lastSuccess.remove()
  return (outcome) => {
    stopped.set(outcome === 'stopped' ? 1 : 0)
    if (outcome === 'done') lastSuccess.setToCurrentTime()
  }
}

/** Absent before the first audit: nothing is known then. */
function createAuditGauges (registers: Registry[]): Pick<Metrics, 'audited' | 'auditRead'> {
  const gauge = (name: string, help: string) => {
    const made = new Gauge({ name, help, registers })
    made.remove()
    return made
  }
  const missing = gauge('uploads_audit_missing', 'Files and sidecars that records tell of and that the last audit did not find.')
  const corrupt = gauge('uploads_audit_corrupt', 'Files, sidecars and records that the last audit found damaged or contradicting each other.')
  const foreign = gauge('uploads_audit_foreign', 'Files on the volume that belong to no record, as the last audit found them.')
  const lastSuccess = gauge('uploads_audit_last_success_timestamp_seconds', 'When an audit last came to its end, by whichever gateway, in seconds since 1970.')
  const checked = new Counter({ name: 'uploads_audit_checked_bytes_total', help: 'Bytes that audits by this process read and hashed.', registers })
  return {
    audited (counts) {
      missing.set(counts.missing)
      corrupt.set(counts.corrupt)
      foreign.set(counts.foreign)
      lastSuccess.set(counts.finishedAt / 1000)
    },
    auditRead: (bytes) => checked.inc(bytes),
  }
}

function createWaitingGauge (registers: Registry[], { waitingPictureJobs = () => 0 }: MetricsSources): void {
  const waiting: Gauge = new Gauge({ name: 'picture_jobs_waiting', help: 'Jobs of pictures that wait for a turn.', registers, collect: () => waiting.set(waitingPictureJobs()) })
}

/** Of several gateways on one PostgreSQL exactly one says 1, but for a few seconds after it died; on SQLite each does. */
function createLeadGauge (registers: Registry[], { leads = () => true }: MetricsSources): void {
  const gauge: Gauge = new Gauge({ name: 'uploads_leads', help: '1 while this gateway does what only one of several does: sweeps, audits, webhooks, expiry.', registers, collect: () => gauge.set(leads() ? 1 : 0) })
}

/** Gauges of what the sources say; the function brings them up to date. */
function createSpaceGauges (registers: Registry[], sources: MetricsSources): () => Promise<void> {
  const { deadlineMs = 2000 } = sources
  const free = new Gauge({ name: 'uploads_free_bytes', help: 'Free space on the uploads volume.', registers })
  const reserve = new Gauge({ name: 'uploads_reserve_bytes', help: 'Free space that uploads leave alone: with less, they are answered with 507.', registers })
  const bytes = new Gauge({ name: 'uploads_staging_bytes', help: 'Bytes in flight in staging.', registers })
  const files = new Gauge({ name: 'uploads_staging_files', help: 'Files in flight in staging.', registers })
  const askSpace = withDeadline(deadlineMs, () => sources.freeBytes())
  const askReserve = withDeadline(deadlineMs, async () => sources.reserveBytes?.())
  const askStaging = withDeadline(deadlineMs, () => sources.staging())
  return async () => {
    const [space, reserved, staging] = await Promise.allSettled([askSpace(), askReserve(), askStaging()])
    show(free, valueOf(space))
    show(reserve, valueOf(reserved))
    show(bytes, valueOf(staging)?.bytes)
    show(files, valueOf(staging)?.files)
  }
}

/** The same of events. */
function createEventGauges (registers: Registry[], { events, deadlineMs = 2000 }: MetricsSources): () => Promise<void> {
  const waiting = new Gauge({ name: 'webhook_events_waiting', help: 'Events that the webhook has not taken yet.', registers })
  const oldest = new Gauge({ name: 'webhook_events_oldest_seconds', help: 'How long the oldest of them has been waiting.', registers })
  const dead = new Gauge({ name: 'webhook_events_dead', help: 'Events that were given up after some three days; "upload-gateway events retry" sends them again.', registers })
  const ask = withDeadline(deadlineMs, async () => events?.())
  return async () => {
    const [told] = await Promise.allSettled([ask()])
    const depth = valueOf(told)
    show(waiting, depth?.waiting)
    show(oldest, depth && (depth.oldestAt === undefined ? 0 : Math.max(0, (Date.now() - depth.oldestAt.getTime()) / 1000)))
    show(dead, depth?.dead)
  }
}

function valueOf<T> (result: PromiseSettledResult<T>): T | undefined {
  return result.status === 'fulfilled' ? result.value : undefined
}

/** No value is better than an old one. */
function show (gauge: Gauge, value: number | undefined): void {
  if (value === undefined) gauge.remove()
  else gauge.set(value)
}

let shared: Registry | undefined

/** Metrics of the process are collected once, however many apps it runs: each collector adds an observer that never ends. */
function processMetrics (): Registry {
  if (shared === undefined) collectDefaultMetrics({ register: shared = new Registry() })
  return shared
}
