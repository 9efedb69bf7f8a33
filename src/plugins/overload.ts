// Refuses new requests that cannot be served well right now: the event loop lags, or the service is stopping.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { ServiceOverloaded, ServiceStopping } from '../errors.ts'

export type OverloadOptions = {
  /** 0: never refuse for load. */
  readonly maxEventLoopDelayMs: number
  /** How often the delay is measured. */
  readonly sampleIntervalMs?: number
}

const resolutionMs = 10

/** Who watches the service must be told the truth most of all when it is in trouble. */
const alwaysAnswered = new Set(['/health/live', '/metrics'])

const answeredWhileStopping = new Set([...alwaysAnswered, '/health/ready'])

/**
 * Needs Fastify's `return503OnClosing: false`, or Fastify refuses first, without a problem body. Not @fastify/under-pressure: it asks for
 * the memory on a timer, which throws when the process is out of descriptors, and the process ends.
 */
export const overload = fastifyPlugin(async (app, { maxEventLoopDelayMs, sampleIntervalMs = 1000 }: OverloadOptions) => {
  let isStopping = false
  app.addHook('preClose', async () => { isStopping = true })
  app.addHook('onRequest', async (request) => {
    if (isStopping && !isOneOf(answeredWhileStopping, request)) throw new ServiceStopping()
  })
  // The stop would wait for a connection that is kept for more; who still sends is left to finish.
  app.addHook('onSend', async ({ raw: { complete } }, reply) => { if (isStopping && complete) reply.header('connection', 'close') })
  // Nor for one whose answer had begun before: it is closed once that has ended.
  app.addHook('onResponse', async () => { if (isStopping) setImmediate(() => app.server.closeIdleConnections()) })
  if (maxEventLoopDelayMs === 0) return

  const delay = monitorEventLoopDelay({ resolution: resolutionMs })
  let delayMs = 0
  let timer: NodeJS.Timeout | undefined
  // From here on, because the start itself blocks the event loop for longer than any request.
  app.addHook('onReady', async () => {
    delay.enable()
    timer = setInterval(() => {
      delayMs = Math.max(0, delay.mean / 1e6 - resolutionMs)
      delay.reset()
    }, sampleIntervalMs).unref()
  })
  app.addHook('onClose', async () => {
    clearInterval(timer)
    delay.disable()
  })
  app.addHook('onRequest', async (request) => {
    if (delayMs > maxEventLoopDelayMs && !isOneOf(alwaysAnswered, request)) throw new ServiceOverloaded()
  })
}, { name: 'overload', fastify: '5.x' })

function isOneOf (addresses: ReadonlySet<string>, request: FastifyRequest): boolean {
  return addresses.has(request.routeOptions.url ?? '')
}
