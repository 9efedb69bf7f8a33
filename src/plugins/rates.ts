// How much a caller may upload in a minute: uploads and bytes, counted in the memory of this process. What limits there are is up to the settings.
import type { FastifyReply, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import type { CallerLimits } from '../config.ts'
import { RateExceeded, withHeaders } from '../errors.ts'
import { meterBody } from '../transfer/meter.ts'
import { callerOf } from './auth.ts'
import { createWindow, windowSeconds, type Window } from './rate-window.ts'

const forgetEveryMs = 60_000

declare module 'fastify' {
  interface FastifyInstance {
    rates: Rates
  }
  interface FastifyRequest {
    /** Held to the rates of its caller: the answer says where the caller stands. */
    isRated: boolean
  }
}

export type Rates = ReturnType<typeof createRates>

type Named = { readonly name: 'uploads' | 'bytes', readonly window: Window, readonly limit: number, readonly amount: number }

export type ByteCharge = {
  /**
   * Charges for what came beyond what was declared. Only a body that began when nothing else counted may be larger than what is left.
   * @returns why it goes no further: RateExceeded
   */
  more (bytes: number): Error | undefined
  /** What was charged for and did not come. */
  giveBack (bytes: number): void
}

const exceeded = ({ name, limit }: Pick<Named, 'name' | 'limit'>, seconds: number): Error =>
  withHeaders(new RateExceeded(`${limit} ${name} per minute`), { 'Retry-After': String(seconds) })

/** `limitsOf`: of a caller, 0: none; `nowMs`: a clock that is never set. */
export function createRates (limitsOf: (callerId: string) => Pick<CallerLimits, 'rateUploads' | 'rateBytes'>, nowMs: () => number) {
  const uploads = createWindow(nowMs)
  const bytes = createWindow(nowMs)

  function limitsFor (callerId: string, amounts: { uploads: number, bytes: number }): Named[] {
    const { rateUploads, rateBytes } = limitsOf(callerId)
    return [
      { name: 'uploads' as const, window: uploads, limit: rateUploads, amount: amounts.uploads },
      { name: 'bytes' as const, window: bytes, limit: rateBytes, amount: amounts.bytes },
    ].filter(({ limit }) => limit > 0)
  }

  return {
    /**
     * Counts an upload, or part of one, all or nothing of it.
     * `bytes`: as declared, or 1 when that is not known.
     * @throws RateExceeded with a Retry-After after which the same would pass, if nothing else came meanwhile
     */
    charge (callerId: string, amounts: { uploads: number, bytes: number }): ByteCharge {
      const limits = limitsFor(callerId, amounts)
      const waits = limits.map((limit) => ({ ...limit, seconds: limit.amount === 0 ? 0 : limit.window.waitSeconds(callerId, limit.amount, limit.limit) }))
      const longest = waits.toSorted((one, other) => other.seconds - one.seconds)[0]
      if (longest !== undefined && longest.seconds > 0) throw exceeded(longest, longest.seconds)
      const byteLimit = limits.find(({ name }) => name === 'bytes')
      const isFirst = byteLimit !== undefined && bytes.left(callerId, byteLimit.limit) === byteLimit.limit
      const charges = limits.map(({ name, window, amount, limit }) => ({ name, charge: window.charge(callerId, amount, limit) }))
      const charge = charges.find(({ name }) => name === 'bytes')?.charge
      return {
        more (count) {
          // How long the whole would have to wait is not known: until nothing else counts, and then any length passes.
          if (byteLimit !== undefined && !isFirst && bytes.waitSeconds(callerId, count, byteLimit.limit) > 0) return exceeded(byteLimit, bytes.resetSeconds(callerId))
          charge?.more(count)
          return undefined
        },
        giveBack: (count) => charge?.giveBack(count),
      }
    },

    /** RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10, section 2 and 3) as they are now; none where there is no limit. */
    headers (callerId: string): Record<string, string> {
      const limits = limitsFor(callerId, { uploads: 0, bytes: 0 })
      if (limits.length === 0) return {}
      return {
        'RateLimit-Policy': limits.map(({ name, limit }) => `"${name}";q=${limit}${name === 'bytes' ? ';qu="content-bytes"' : ''};w=${windowSeconds}`).join(', '),
        RateLimit: limits.map(({ name, window, limit }) => `"${name}";r=${window.left(callerId, limit)};t=${window.resetSeconds(callerId)}`).join(', '),
      }
    },

    forget () {
      uploads.forget()
      bytes.forget()
    },
  }
}

export const rateLimits = fastifyPlugin(async (app, { limitsOf, monotonicMs }: { limitsOf: (callerId: string) => CallerLimits, monotonicMs: () => number }) => {
  app.decorate('rates', createRates(limitsOf, monotonicMs))
  app.decorateRequest('isRated', false)
  app.addHook('onSend', async (request, reply) => { if (request.isRated) reply.headers(app.rates.headers(callerOf(request).id)) })
  const timer = setInterval(() => app.rates.forget(), forgetEveryMs)
  app.addHook('onClose', async () => { clearInterval(timer) })
}, { name: 'rate-limits', fastify: '5.x' })

/** onRequest, once the caller is known: an upload begins, whose body counts. @throws RateExceeded */
export async function countUpload (request: FastifyRequest, reply: FastifyReply): Promise<void> {
  charge(request, reply, 1)
}

/** onRequest, once the caller is known: the body is part of an upload that was counted before. @throws RateExceeded */
export async function countBytes (request: FastifyRequest, reply: FastifyReply): Promise<void> {
  charge(request, reply, 0)
}

/** Who reads the body must tell `meterOf` of it what comes; `watchIncoming` does. A body that came to its end counts as it was declared. */
function charge (request: FastifyRequest, reply: FastifyReply, uploads: number): void {
  if (request.caller === null) return
  request.isRated = true
  const { raw, server: { rates } } = request
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers
  let charged = length === undefined && coding !== undefined ? 1 : Number(length ?? 0)
  const { more, giveBack } = rates.charge(callerOf(request).id, { uploads, bytes: charged })
  let received = 0
  meterBody(raw, (bytes) => {
    received += bytes
    const beyond = received - charged
    if (beyond <= 0) return undefined
    charged = received
    return more(beyond)
  })
  reply.raw.once('close', () => { if (raw.complete === false) giveBack(charged - received) })
}
