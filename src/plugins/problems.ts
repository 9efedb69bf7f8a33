// Turns every error into application/problem+json (RFC 9457) and logs it, once. Which codes exist is errors.ts.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { errorTable, RouteNotFound } from '../errors.ts'
import { STATUS_CODES } from '../http.ts'
import { knownError, type FieldError, type KnownError } from './foreign-errors.ts'

/** The body of every error. `type` stays about:blank (RFC 9457 section 4.2.1): `code` is what clients tell errors apart by. */
export type Problem = {
  type: 'about:blank'
  title: string
  status: number
  detail: string
  code: string
  requestId: string
  errors?: FieldError[]
}

/** Of statuses that Node does not know: those of tus and of nginx. */
const ownTitles: Record<number, string> = { 460: 'Checksum Mismatch', 499: 'Client Closed Request' }

const sentences = new Map(errorTable.map(({ code, sentence }) => [code, sentence]))

/** Seconds to wait before the same request may succeed, where the error itself does not say. */
export const retryAfter: Readonly<Record<number, string>> = { 429: '60', 503: '5', 507: '60' }

/** What a route said of the file it meant to send is not true of the problem that is sent instead. */
const representationHeaders = [
  'accept-ranges', 'content-disposition', 'content-encoding', 'content-language', 'content-range', 'etag', 'last-modified', 'repr-digest',
]

/** Registered first: everything after it may throw the errors of errors.ts. */
export const problems = fastifyPlugin(async (app) => {
  app.setErrorHandler((error, request, reply) => sendProblem(answerFailure(error, request, reply), reply))
  app.setNotFoundHandler(() => { throw new RouteNotFound() })
}, { name: 'problems', fastify: '5.x' })

/** For Fastify's option of that name: requests that never reach a route, such as those with a broken URL. */
export function frameworkErrors (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  reply.header('X-Request-Id', request.id)
  sendProblem(answerFailure(error, request, reply), reply)
}

/**
 * Logs the failure and sets status and headers of the reply. The body is left to the caller, so that older clients can be
 * answered in the shape they know; everyone else gets the problem itself.
 */
export function answerFailure (error: unknown, request: FastifyRequest, reply: FastifyReply): Problem {
  const known = knownError(error, request)
  log(known, request)
  for (const name of representationHeaders) reply.removeHeader(name)
  reply.code(known.statusCode).headers({ ...defaultHeaders(known, reply), ...known.headers })
  return problemOf(known, request.id)
}

/** The problem that stands for `error`. Those of the service itself (5xx) say nothing of their cause. */
export function problemOf (error: KnownError, requestId: string): Problem {
  const { code, statusCode: status } = error
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? ownTitles[status] ?? '',
    status,
    detail: status < 500 ? error.message : sentences.get(code) ?? '',
    code,
    requestId,
    ...(error.fields !== undefined && { errors: error.fields }),
  }
}

function sendProblem (problem: Problem, reply: FastifyReply): void {
  // As a Buffer: no response schema of the route is applied, and no charset is added to a type that has none.
  reply.type('application/problem+json').send(Buffer.from(JSON.stringify(problem)))
}

function defaultHeaders (error: KnownError, reply: FastifyReply): Record<string, string> {
  const wait = retryAfter[error.statusCode]
  return {
    'Cache-Control': 'no-store',
    // RFC 9110 section 15.5.2: a 401 names the way to authenticate.
    ...(error.statusCode === 401 && { 'WWW-Authenticate': 'Bearer' }),
    ...(wait !== undefined && !reply.hasHeader('Retry-After') && { 'Retry-After': wait }),
  }
}

function log (error: KnownError, request: FastifyRequest): void {
  const { code, statusCode: status } = error
  // A full disk and a full queue are no faults to be traced: operators watch them.
  if (status === 507 || code === 'IMAGES_BUSY') return request.log.warn({ code, status, req: request, ...reasonOf(error) }, error.message)
  // The operator wants it so.
  if (code === 'READ_ONLY') return request.log.info({ code, status, req: request }, error.message)
  if (status >= 500) return request.log.error({ err: error, code, status, req: request }, error.message)
  // The line of the completed request says as much of these, and scanners cause many.
  const level = status === 401 || status === 403 || status === 404 ? 'debug' : 'info'
  request.log[level]({ code, status, req: request, ...reasonOf(error) }, error.message)
}

/** On one line: Prisma's messages show the query first and say what happened at the end. */
function reasonOf ({ cause }: KnownError): { reason?: string } {
  return cause instanceof Error ? { reason: cause.message.trim().split(/\s*\n\s*/).at(-1) ?? '' } : {}
}
