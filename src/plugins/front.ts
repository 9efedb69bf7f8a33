// What stands before everything else: requests whose answer is ready get it at once, and all others go on to Fastify.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { FastifyServerOptions } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { createServer } from '../http.ts'
import { createKeptAnswers, type FlatHeaders, type Found, type KeptAnswers } from '../transfer/kept-answers.ts'
import { lengthHeaders } from '../transfer/range.ts'
import { limitStalling } from '../transfer/send.ts'
import { pathIn, requestId } from './logger.ts'
import type { Metrics } from './metrics.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Undefined where every request goes through all. */
    keptAnswers?: KeptAnswers
  }
}

/** Those of Fastify for a server that it makes itself; bodies have a watchdog of their own instead of a deadline. */
const keepAliveMs = 72_000

type Handle = (request: IncomingMessage, response: ServerResponse) => void

export type Front = ReturnType<typeof createFront>

/** Headers must be there within `headersTimeoutMs`. */
export function createFront ({ headersTimeoutMs }: { headersTimeoutMs: number }) {
  let answer = (_request: IncomingMessage, _response: ServerResponse, _handle: Handle): boolean => false
  const serve = (handle: Handle): Server =>
    createServer({ headersTimeout: headersTimeoutMs, requestTimeout: 0, keepAliveTimeout: keepAliveMs }, (request, response) => {
      if (!answer(request, response, handle)) handle(request, response)
    })
  return {
    /** For Fastify's constructor. */
    serverFactory: serve as NonNullable<FastifyServerOptions['serverFactory']>,
    /** `wanted` gives the answer and returns true, or leaves the request as it is. */
    answerWith (wanted: typeof answer): void { answer = wanted },
  }
}

export const front = fastifyPlugin(async (app, { front, metrics }: { front: Front, metrics: Pick<Metrics, 'requestCompleted'> }) => {
  const keptAnswers = createKeptAnswers()
  app.decorate('keptAnswers', keptAnswers)

  const atEndOfTurn = createTurnEnd()

  /** Begins the answer. `end` ends it, with these bytes; `leave` leaves it to another. */
  function begin (found: Found, request: IncomingMessage, response: ServerResponse) {
    const { method = '', url = '', socket } = request
    const { answer: { route, callerId }, status } = found
    const startedAt = performance.now()
    const id = requestId(request)
    const onClose = () => {
      const ms = performance.now() - startedAt
      metrics.requestCompleted({ method, route, status }, ms / 1000)
      app.logCompleted({ requestId: id, method, path: pathIn(url), socket, route, callerId }, { status, ms, isAborted: !response.writableFinished })
    }
    response.once('close', onClose)
    return {
      end (bytes: Buffer | undefined): void {
        const write = () => {
          response.writeHead(status, [...headersOf(found), 'x-request-id', id])
          response.end(bytes)
          if (!response.writableFinished) limitStalling(response)
        }
        // Of pipelined requests, only the first wakes its client; Node reads no more of them once it sees that too much waits to go out.
        if (response.socket === null) write()
        else atEndOfTurn(write)
      },
      leave: () => response.off('close', onClose),
    }
  }

  /** False when it is for Fastify after all. */
  function give (found: Found, request: IncomingMessage, response: ServerResponse, handle: Handle): boolean {
    const { answer: { whole, part }, status, range } = found
    if (status === 304 || request.method === 'HEAD') {
      begin(found, request, response).end(undefined)
      return true
    }
    const source = whole ?? (range === 'whole' ? undefined : part?.(range))
    const asked = (bytes: Buffer) => whole === undefined || range === 'whole' ? bytes : bytes.subarray(range.start, range.end + 1)
    const bytes = source?.remembered()
    // Of pipelined requests each answer waits for the one before; what is read meanwhile would take memory.
    if (source === undefined || (bytes === undefined && response.socket === null)) return false
    const answer = begin(found, request, response)
    if (bytes !== undefined) answer.end(asked(bytes))
    else {
      source.read().then((bytes) => answer.end(asked(bytes)), () => {
        answer.leave()
        keptAnswers.drop(request)
        handle(request, response)
      })
    }
    return true
  }

  app.addHook('onReady', async () => front.answerWith((request, response, handle) => {
    const found = keptAnswers.find(request)
    return found !== undefined && give(found, request, response, handle)
  }))
  app.addHook('preClose', async () => front.answerWith(() => false))
}, { name: 'front', fastify: '5.x', dependencies: ['request-log'] })

/**
 * Runs what it is given when all is read that has come in this turn of the event loop: answers that are written one after the other wake a client once, and
 * to wake it for each takes up to a quarter of the time that an answer takes in all. At once, where the last such turn had but one: a single client would only wait.
 */
function createTurnEnd (): (task: () => void) => void {
  let tasks: (() => void)[] = []
  let count = 0
  let wasAlone = true
  const run = () => {
    const all = tasks
    tasks = []
    wasAlone = count === 1
    count = 0
    for (const task of all) task()
  }
  return (task) => {
    count += 1
    if (count === 1) setImmediate(run)
    if (wasAlone) task()
    else tasks.push(task)
  }
}

function headersOf ({ answer: { size, headers, partHeaders, unchangedHeaders }, status, range }: Found): FlatHeaders {
  if (status === 304) return unchangedHeaders
  return range === 'whole' ? headers : [...partHeaders, ...Object.entries(lengthHeaders(size, range)).flat()]
}
