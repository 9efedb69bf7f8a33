// Refuses new requests that cannot be served well right now: the event loop lags, or the service is stopping.
import underPressure from '@fastify/under-pressure'
import type { FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { ServiceOverloaded, ServiceStopping } from '../errors.ts'

export type OverloadOptions = {
  /** 0: never refuse for load. */
  readonly maxEventLoopDelayMs: number
  /** How often the delay is measured. */
  readonly sampleIntervalMs?: number
}

/** Who watches the service must be told the truth most of all when it is in trouble. */
const alwaysAnswered = new Set(['/health/live', '/metrics'])

const answeredWhileStopping = new Set([...alwaysAnswered, '/health/ready'])

/** Needs Fastify's `return503OnClosing: false`, or Fastify refuses first, without a problem body. */
export const overload = fastifyPlugin(async (app, { maxEventLoopDelayMs, sampleIntervalMs = 1000 }: OverloadOptions) => {
  let isStopping = false
  app.addHook('preClose', async () => { isStopping = true })
  app.addHook('onRequest', async (request) => {
    if (isStopping && !isOneOf(answeredWhileStopping, request)) throw new ServiceStopping()
  })
  if (maxEventLoopDelayMs === 0) return
  let countsFrom = Infinity
  // The start blocks the event loop for longer than any request: the first sample still holds some of it, and is in force until the second.
  app.addHook('onReady', async () => { countsFrom = performance.now() + 2 * sampleIntervalMs })
  await app.register(underPressure, {
    maxEventLoopDelay: maxEventLoopDelayMs,
    sampleInterval: sampleIntervalMs,
    pressureHandler: async (request) => {
      if (performance.now() >= countsFrom && !isOneOf(alwaysAnswered, request)) throw new ServiceOverloaded()
    },
  })
}, { name: 'overload', fastify: '5.x' })

function isOneOf (addresses: ReadonlySet<string>, request: FastifyRequest): boolean {
  return addresses.has(request.routeOptions.url ?? '')
}
