// The log: its form, the request ids, and one line for each completed request. Failures are logged by problems.ts.
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { LogController, type FastifyReply, type FastifyRequest, type FastifyServerOptions } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { stdSerializers, type DestinationStream } from 'pino'
import pretty from 'pino-pretty'
import { v7 } from 'uuid'
import type { Config } from '../config.ts'
import { onCompletion, type Completion } from './completion.ts'

export type LogOptions = {
  readonly level: Config['logLevel']
  /** People read along: coloured lines instead of JSON. */
  readonly isTerminal: boolean
  /** Standard output when absent. */
  readonly stream?: DestinationStream & NodeJS.WritableStream
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

/** One line per request, and its id on every answer. */
export const requestLog = fastifyPlugin(async (app) => {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('X-Request-Id', request.id)
    onCompletion(reply, (completion) => logCompleted(request, completion))
  })
}, { name: 'request-log', fastify: '5.x' })

function logCompleted (request: FastifyRequest, { status, ms, isAborted }: Completion): void {
  const { method, path } = requestFacts(request)
  request.log.info({
    method,
    path,
    route: request.routeOptions.url,
    status,
    ms: Math.round(ms * 10) / 10,
    ...wireBytes(request.raw.socket),
    caller: request.caller?.id,
    ...(isAborted && { isAborted }),
  }, `${method} ${path} ${status}`)
}

const lastSeen = new WeakMap<Socket, { read: number, written: number }>()

/** Bytes on the wire, headers included, since the request before on the same connection. */
function wireBytes (socket: Socket): { bytesIn: number, bytesOut: number } {
  const { bytesRead: read = 0, bytesWritten: written = 0 } = socket
  const before = lastSeen.get(socket) ?? { read: 0, written: 0 }
  lastSeen.set(socket, { read, written })
  return { bytesIn: read - before.read, bytesOut: written - before.written }
}

const idPattern = /^[A-Za-z0-9._-]{1,128}$/

/** The caller's own X-Request-Id where it is harmless, so that its log and ours can be laid side by side. */
function requestId ({ headers }: IncomingMessage): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && idPattern.test(given) ? given : v7()
}

/** No headers and no query: both carry credentials. */
function requestFacts (request: Pick<FastifyRequest, 'id' | 'method' | 'url' | 'ip'>) {
  return { id: request.id, method: request.method, path: request.url.split('?', 1)[0] ?? '', remoteAddress: request.ip }
}

const secretNames = ['authorization', 'cookie', 'set-cookie', 'token', 'password', 'secret']

const secretPaths = secretNames.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.headers["${name}"]`])

/**
 * The last word on every line, whatever logged it: messages and stacks of foreign errors quote what they were given.
 * Each pattern starts where no earlier match could, so that a hostile path costs linear time. Letters that are spelled as %41 in a path
 * are the same letters (RFC 3986 section 6.2.2.2), and open the same link.
 */
function withoutSecrets (line: string): string {
  return line
    .replaceAll(/%(?:2[DE]|3\d|[46][1-9A-F]|[57][\dA]|5F|7E)/gi, decodeURIComponent)
    .replaceAll(/(?<![\w-])eyJ[\w-]+\.[\w.-]+/g, '[token]')
    .replaceAll(/\b(Bearer|Basic) [\w~+/.=-]+/gi, '$1 [redacted]')
    .replaceAll(/(\/|%2F)links(\/|%2F)[^/\s"?]{40,}/gi, '$1links$2[redacted]')
    .replaceAll(/\?[^\s"'\\)]+/g, '?[redacted]')
}

function prettyStream (destination: NodeJS.WritableStream | undefined): DestinationStream {
  return pretty({
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
