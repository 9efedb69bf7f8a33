// Bytes on a connection that are no HTTP request: there is no request or reply yet, so the problem is written to the socket.
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { v7 } from 'uuid'
import { HeadersTooLarge, RequestInvalid, RequestTimeout } from '../errors.ts'
import { STATUS_CODES } from '../http.ts'
import { problemOf } from './problems.ts'
import type { KnownError } from './foreign-errors.ts'

/** How long a refused connection may take to read its answer, in milliseconds. */
const lingerMs = 1000

/** For Fastify's option of that name; Fastify binds it to the app. */
export function clientErrorHandler (this: FastifyInstance, error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || hasAnswerBegun(socket)) {
    socket.destroy()
    return
  }
  const known = knownClientError(error.code)
  const requestId = v7()
  // Only its code: the error itself carries the raw bytes, tokens included.
  this.log.info({ requestId, code: known.code, status: known.statusCode, reason: error.code, remoteAddress: socket.remoteAddress }, known.message)
  socket.end(rawAnswer(known, requestId))
  // Closing at once could reset the connection before the client has read the answer.
  setTimeout(() => socket.destroy(), lingerMs).unref()
}

function knownClientError (code: string | undefined): KnownError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new RequestTimeout()
  if (code === 'HPE_HEADER_OVERFLOW') return new HeadersTooLarge()
  return new RequestInvalid('it is not HTTP/1.1')
}

/** Node keeps the response in progress there; writing after its headers would corrupt it. */
function hasAnswerBegun (socket: Socket & { _httpMessage?: { headersSent: boolean } | null }): boolean {
  return socket._httpMessage?.headersSent === true
}

function rawAnswer (error: KnownError, requestId: string): string {
  const body = JSON.stringify(problemOf(error, requestId))
  return [
    `HTTP/1.1 ${error.statusCode} ${STATUS_CODES[error.statusCode]}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'Connection: close',
    `X-Request-Id: ${requestId}`,
    '',
    body,
  ].join('\r\n')
}
