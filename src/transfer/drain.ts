// What happens to the rest of a body that was answered before it was read: enough is taken in for the client to see the answer, then the connection is cut.
import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

export type DrainLimits = {
  /** Taken in at full speed. */
  readonly bytes: number
  /** When the connection is cut, whatever came. */
  readonly deadlineMs: number
  /** Wait between two chunks once `bytes` are in: slow enough to cost nothing, and yet the client's leaving is noticed. */
  readonly crawlMs: number
}

const standardLimits: DrainLimits = { bytes: 1024 ** 2, deadlineMs: 5_000, crawlMs: 100 }

/** For the whole app, before all other hooks: whoever answers early, its answer arrives and the rest of the body costs little. */
export const drainUnread = fp(async (app) => {
  app.addHook('onRequest', drainAfterAnswer)
  app.addHook('onSend', lingerOnClose)
}, { name: 'drain-unread' })

async function drainAfterAnswer ({ raw: body }: FastifyRequest, { raw: response }: FastifyReply): Promise<void> {
  // Before Node's own listener, which would read an untouched body to its end, however long that is.
  response.prependOnceListener('finish', () => { if (body.complete === false && !body.destroyed) drain(body) })
}

/**
 * Node would cut a connection that ends with this answer (`Connection: close`, HTTP/1.0) in the middle of the body, and
 * the client would see a broken pipe instead of the answer: keep it open, and close it after the drain.
 */
async function lingerOnClose ({ raw: body }: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { raw: response } = reply
  if (body.complete !== false || response.shouldKeepAlive || reply.getHeader('connection') === 'close') return
  response.shouldKeepAlive = true
  response.removeHeader('connection')
  body.once('end', () => body.socket.end())
}

/** Reads what is left of the body, within limits, and throws it away. */
export function drain (body: IncomingMessage, { bytes, deadlineMs, crawlMs }: DrainLimits = standardLimits): void {
  const { socket } = body
  const deadline = setTimeout(() => socket.destroy(), deadlineMs)
  let left = bytes
  let pause: NodeJS.Timeout | undefined

  function onData (chunk: Buffer): void {
    left -= chunk.length
    if (left > 0) return
    body.pause()
    pause = setTimeout(() => body.resume(), crawlMs)
  }
  function onOver (): void {
    clearTimeout(deadline)
    clearTimeout(pause)
    socket.off('close', onOver)
  }

  // After its answer, a request is told nothing any more of the end of its connection.
  socket.once('close', onOver)
  body.unpipe()
  body.once('end', onOver).on('data', onData).resume()
  // Marks the body as being read, at once: else Node reads the rest itself, without bound.
  body.read(0)
}
