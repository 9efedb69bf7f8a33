// Whether the process answers (live) and whether it can do its work (ready). What is checked is given from outside.
import type { FastifyBaseLogger } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { Type } from 'typebox'
import { withDeadline } from './deadline.ts'

export type Check = {
  readonly name: string
  /** Rejects when the thing cannot do its work. */
  check (): Promise<void>
}

export type HealthOptions = {
  readonly checks: readonly Check[]
  readonly deadlineMs?: number
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number
}

type Verdict = 'ok' | 'failed' | 'no answer'

type Report = { readonly isReady: boolean, readonly checks: Readonly<Record<string, Verdict>> }

/** An answer serves everyone who asks within this time, so that asking often costs nothing. */
const freshMs = 1000

const live = Type.Object({ status: Type.String() }, { description: 'The process answers.' })

const readiness = (description: string) => Type.Object({ status: Type.String(), checks: Type.Record(Type.String(), Type.String()) }, { description })

const readySchema = {
  tags: ['operations'],
  summary: 'Can the service do its work?',
  response: { 200: readiness('All checks passed.'), 503: readiness('A check failed, or the service is stopping.') },
}

const liveSchema = { tags: ['operations'], summary: 'Does the process answer?', response: { 200: live } }

export const health = fastifyPlugin(async (app, options: HealthOptions) => {
  const report = createReport(options, app.log)
  let isStopping = false
  app.addHook('preClose', async () => { isStopping = true })

  app.get('/health/live', { schema: liveSchema, logLevel: 'warn' }, async (_request, reply) => {
    reply.header('Cache-Control', 'no-store')
    return { status: 'live' }
  })

  app.get('/health/ready', { schema: readySchema, logLevel: 'warn' }, async (_request, reply) => {
    const { isReady, checks } = isStopping ? { isReady: false, checks: { gateway: 'stopping' } } : await report()
    reply.code(isReady ? 200 : 503).header('Cache-Control', 'no-store')
    return { status: isReady ? 'ready' : 'not ready', checks }
  })
}, { name: 'health', fastify: '5.x' })

/** Runs all checks, at most once at a time and once per second; everyone else gets the report that is there or under way. */
function createReport ({ checks, deadlineMs = 5000, now = () => performance.now() }: HealthOptions, log: FastifyBaseLogger): () => Promise<Report> {
  const probes = checks.map((check) => createProbe(check, deadlineMs, log))
  let latest: Promise<Report> | undefined
  let madeAt = -Infinity
  return () => {
    if (latest !== undefined && now() - madeAt < freshMs) return latest
    madeAt = Infinity
    latest = Promise.all(probes.map((probe) => probe())).then((verdicts) => {
      madeAt = now()
      return { isReady: verdicts.every((verdict) => verdict === 'ok'), checks: Object.fromEntries(checks.map(({ name }, index) => [name, verdicts[index] ?? 'failed'])) }
    })
    return latest
  }
}

/** Logs when the verdict changes, not each time it is given. */
function createProbe (target: Check, deadlineMs: number, log: FastifyBaseLogger): () => Promise<Verdict> {
  const { name } = target
  let last: Verdict = 'ok'
  const note = (verdict: Verdict, err?: unknown): Verdict => {
    if (verdict !== last) log[verdict === 'ok' ? 'info' : 'warn']({ check: name, verdict, err }, `Readiness check ${name}: ${verdict}.`)
    last = verdict
    return verdict
  }
  const ask = withDeadline(deadlineMs, async () => {
    await target.check()
    return true
  })
  return () => ask().then((isOk) => note(isOk === undefined ? 'no answer' : 'ok'), (error: unknown) => note('failed', error))
}
