// How long the small bodies may take that are no uploads, which have a watchdog of their own: a client that declares one and
// sends nothing would hold its connection for ever.
import fp from 'fastify-plugin'
import { RequestTimeout, withHeaders } from '../errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set by acceptUploads: the route reads its body itself, however long it takes. */
    takesUploads?: boolean
  }
}

const standardMs = 15_000

export const bodyDeadline = fp(async (app, { deadlineMs = standardMs }: { deadlineMs?: number }) => {
  app.addHook('preParsing', async (request, reply) => {
    if (request.routeOptions.config.takesUploads === true || request.raw.complete) return
    const timer = setTimeout(() => {
      // An answer that has begun is its reader's matter, whatever becomes of the body.
      if (!request.raw.complete && !reply.sent && !reply.raw.headersSent) reply.send(withHeaders(new RequestTimeout(), { connection: 'close' }))
    }, deadlineMs)
    request.raw.once('end', () => clearTimeout(timer))
    reply.raw.once('close', () => clearTimeout(timer))
  })
}, { name: 'body-deadline' })
