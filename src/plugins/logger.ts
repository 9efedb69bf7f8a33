// The log: its form, the request ids, and one line for each completed request. Failures are logged by problems.ts.
import { randomFillSync } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import { LogController, type FastifyBaseLogger, type FastifyReply, type FastifyRequest, type FastifyServerOptions } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { levels, stdSerializers, symbols, type DestinationStream } from 'pino'
import type pretty from 'pino-pretty'
import { v7 } from 'uuid'
import type { Config } from '../config.ts'
import { onCompletion, type Completion } from './completion.ts'

export type LogOptions = {
  readonly level: Config['logLevel']
  /** People read along: coloured lines instead of JSON. */
  readonly isTerminal: boolean
  /** Standard output when absent. */
  readonly stream?: DestinationStream
}

/** The options of Fastify's constructor that have to do with the log. */
export function logging ({ level, isTerminal, stream }: LogOptions): Pick<FastifyServerOptions, 'logger' | 'logController' | 'genReqId'> {
  const destination = isTerminal ? prettyStream(stream) : stream
  return {
    logger: {
      level,
      serializers: { req: requestFacts, err: stdSerializers.errWithCause },
      redact: { paths: secretPaths, censor: '[redacted]' },
      hooks: { streamWrite: withoutSecrets },
      ...(destination !== undefined && { stream: destination }),
    },
    logController: new FailureLog(),
    genReqId: requestId,
  }
}

const { info } = levels.values

/** Levels of a log that tell of each request. */
const telling: ReadonlySet<string> = new Set(['trace', 'debug', 'info'])

/** One line per request, and its id on every answer. */
export const requestLog = fastifyPlugin(async (app) => {
  app.decorate('logCompleted', completionLog(app.log))
  app.addHook('onRequest', async (request, reply) => {
    reply.header('X-Request-Id', request.id)
    // Some routes are asked too often for a line each.
    if (!telling.has(request.log.level)) return
    onCompletion(reply, (completion) => app.logCompleted({ requestId: request.id, method: request.method, path: pathIn(request.url), socket: request.raw.socket, route: request.routeOptions.url, callerId: request.caller?.id }, completion))
  })
}, { name: 'request-log', fastify: '5.x' })

type Completed = { readonly requestId: string, readonly method: string, readonly path: string, readonly socket: Socket, readonly route: string | undefined, readonly callerId: string | undefined }

type LogCompleted = (request: Completed, completion: Completion) => void

declare module 'fastify' {
  interface FastifyInstance {
    /** The line of a request that is over. */
    logCompleted: LogCompleted
  }
}

/**
 * The line that pino would write, put together by hand: it takes an eighth of the time. No field of it may hold a secret but for what `withoutSecrets` finds.
 * A stream that wants to know of which level a line is has it from `lastLevel`.
 */
function completionLog (log: FastifyBaseLogger): LogCompleted {
  const { [symbols.streamSym]: stream, [symbols.chindingsSym]: bindings = '' } = log as unknown as { [symbols.streamSym]: DestinationStream & { lastLevel?: number }, [symbols.chindingsSym]?: string }
  return ({ requestId, method, path, socket, route, callerId }, { status, ms, isAborted }) => {
    if (!telling.has(log.level)) return
    const { bytesIn, bytesOut } = wireBytes(socket)
    stream.lastLevel = info ?? 0
    stream.write(withoutSecrets(`{"level":${info},"time":${Date.now()}${bindings},"requestId":"${requestId}","method":"${method}","path":${JSON.stringify(path)}${fieldOf('route', route)
      },"status":${status},"ms":${Math.round(ms * 10) / 10},"bytesIn":${bytesIn},"bytesOut":${bytesOut}${fieldOf('caller', callerId)}${isAborted ? ',"isAborted":true' : ''
      },"msg":${JSON.stringify(`${method} ${path} ${status}`)}}\n`))
  }
}

const fieldOf = (name: string, value: string | undefined): string => value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`

const lastSeen = new WeakMap<Socket, { read: number, written: number }>()

/** Bytes on the wire, headers included, since the request before on the same connection. */
function wireBytes (socket: Socket): { bytesIn: number, bytesOut: number } {
  const { bytesRead: read = 0, bytesWritten: written = 0 } = socket
  const before = lastSeen.get(socket)
  if (before === undefined) {
    lastSeen.set(socket, { read, written })
    return { bytesIn: read, bytesOut: written }
  }
  const bytes = { bytesIn: read - before.read, bytesOut: written - before.written }
  before.read = read
  before.written = written
  return bytes
}

const idPattern = /^[A-Za-z0-9._-]{1,128}$/

/** The caller's own X-Request-Id where it is harmless, so that its log and ours can be laid side by side. */
export function requestId ({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && idPattern.test(given) ? given : freshId()
}

const randomness = Buffer.alloc(16 * 256)
let taken = randomness.length

/** A UUIDv7 (RFC 9562); randomness is fetched for many at once. */
function freshId (): string {
  if (taken === randomness.length) {
    randomFillSync(randomness)
    taken = 0
  }
  const random = randomness.subarray(taken, taken + 16)
  taken += 16
  return v7({ random })
}

/** Without the query. */
export function pathIn (url: string): string {
  const end = url.indexOf('?')
  return end === -1 ? url : url.slice(0, end)
}

/** No headers and no query: both carry credentials. */
function requestFacts (request: Pick<FastifyRequest, 'id' | 'method' | 'url' | 'ip'>) {
  return { id: request.id, method: request.method, path: pathIn(request.url), remoteAddress: request.ip }
}

const secretNames = ['authorization', 'cookie', 'set-cookie', 'token', 'password', 'secret']

const secretPaths = secretNames.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.headers["${name}"]`])

/** What each of the patterns below needs. */
const mayHoldSecrets = /[%?]|eyJ|Bearer|Basic|links/i

/**
 * The last word on every line, whatever logged it: messages and stacks of foreign errors quote what they were given.
 * Each pattern starts where no earlier match could, so that a hostile path costs linear time. Letters that are spelled as %41 in a path
 * are the same letters (RFC 3986 section 6.2.2.2), and open the same link. What a backslash escapes goes or stays with it: a line stays JSON; and behind
 * a line break, whose letter is an n there, a secret begins as well.
 */
function withoutSecrets (line: string): string {
  if (!mayHoldSecrets.test(line)) return line
  return line
    .replaceAll(/%(?:2[DE]|3\d|[46][1-9A-F]|[57][\dA]|5F|7E)/gi, decodeURIComponent)
    .replaceAll(/(?:(?<=\\[nrt])|(?<![\w-]))eyJ[\w-]+\.[\w.-]+/g, '[token]')
    .replaceAll(/(?:(?<=\\[nrt])|\b)(Bearer|Basic) [\w~+/.=-]+/gi, '$1 [redacted]')
    .replaceAll(/(\/|%2F)links(\/|%2F)(?:[^/\s"?\\]|\\.){40,}/gi, '$1links$2[redacted]')
    .replaceAll(/\?[^\s"'\\)]+/g, '?[redacted]')
}

function prettyStream (destination: DestinationStream | undefined): DestinationStream {
  // Only here: few gateways have a terminal.
  const toLines: typeof pretty = createRequire(import.meta.url)('pino-pretty')
  return toLines({
    sync: true,
    singleLine: true,
    colorize: destination === undefined,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname,method,path,route,status,req,isAborted',
    ...(destination !== undefined && { destination }),
  })
}

/** Fastify's own lines, but for those that the one line per request and problems.ts make superfluous. */
class FailureLog extends LogController {
  constructor () {
    super({ requestIdLogLabel: 'requestId' })
  }

  override incomingRequest (): void {}

  override requestCompleted (): void {}

  /** The headers are out, so problems.ts cannot answer. That a client left is in the line of the request. */
  override streamError (error: Error, request: FastifyRequest, reply: FastifyReply): void {
    if (reply.raw.destroyed) return
    request.log.error({ err: error, req: request }, 'The answer broke off.')
  }
}
