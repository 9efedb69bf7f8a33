// When the volume is audited, by the gateway that leads: soon after the start, then whenever it is due; and what every gateway tells of it, in the log and the metrics.
import fastifyPlugin from 'fastify-plugin'
import type { Coordination } from '../records/coordination.ts'
import type { Metrics } from './metrics.ts'

/** Whether one is due is asked this often; one gateway of several does it. */
const askEveryMs = 60_000

/** Of one audit; the rest is for "upload-gateway verify". */
const maxLines = 100

type Finding = { readonly problem: string, readonly path: string, readonly detail: string, readonly mend: string }

type Audited = { readonly records: number, readonly hashedFiles: number, readonly hashedBytes: number, readonly findings: readonly Finding[], readonly moreFindings?: number }

type Options = {
  readonly coordination: Pick<Coordination, 'leads' | 'term' | 'onLead'>
  readonly audit: {
    runIfDue (signal: AbortSignal): Promise<Audited | undefined>
    latest (): Promise<Parameters<Metrics['audited']>[0] | undefined>
  }
  readonly everyMs: number
  readonly metrics: Pick<Metrics, 'audited'>
}

export const audit = fastifyPlugin(async (app, { coordination, audit: { runIfDue, latest }, everyMs, metrics }: Options) => {
  if (everyMs === 0) return
  const controller = new AbortController()
  let running: Promise<void> | undefined

  async function ask (): Promise<void> {
    try {
      const audited = coordination.leads() ? await runIfDue(AbortSignal.any([controller.signal, coordination.term])) : undefined
      if (audited !== undefined) tell(audited)
      const counts = await latest()
      if (counts !== undefined) metrics.audited(counts)
    } catch (error) {
      app.log.error({ err: error }, 'The audit of the volume failed; it is tried again.')
    }
  }

  function tell ({ records, hashedFiles, hashedBytes, findings, moreFindings = 0 }: Audited): void {
    for (const { problem, path, detail, mend } of findings.slice(0, maxLines)) app.log.warn({ audit: problem, path }, `${path}: ${detail} ${mend}`)
    const count = findings.length + moreFindings
    const counts = { audit: 'done', records, hashedFiles, hashedBytes, findings: count }
    if (count > maxLines) app.log.warn(counts, `The audit of the volume found ${count} things wrong; the first ${maxLines} are told. "upload-gateway verify" lists them.`)
    else app.log.info(counts, count === 0 ? 'The audit of the volume found nothing wrong.' : `The audit of the volume found ${count} things wrong.`)
  }

  function askOnce (): void {
    running ??= ask().finally(() => { running = undefined })
  }

  const timer = setInterval(askOnce, Math.min(everyMs, askEveryMs))
  coordination.onLead(askOnce)
  app.addHook('onClose', async () => {
    clearInterval(timer)
    controller.abort()
    await running
  })
}, { name: 'audit', fastify: '5.x', dependencies: ['storage'] })
