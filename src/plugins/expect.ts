// `Expect: 100-continue` (RFC 9110 section 10.1.1): the body is asked for only once the caller is known and the upload admitted. Other expectations get Node's 417.
import type { IncomingMessage, ServerResponse } from 'node:http'
import fp from 'fastify-plugin'

export const expectContinue = fp(async (app) => {
  const waiting = new WeakSet<IncomingMessage>()

  function onExpectation (request: IncomingMessage, response: ServerResponse): void {
    waiting.add(request)
    app.routing(request, response)
  }
  app.server.on('checkContinue', onExpectation)
  app.addHook('onClose', async () => { app.server.off('checkContinue', onExpectation) })

  // After all onRequest hooks: whoever they turn away has sent no byte of the body.
  app.addHook('preParsing', async ({ raw, is404 }, reply) => {
    if (!is404 && waiting.delete(raw)) reply.raw.writeContinue()
  })
  // The body was not asked for, so where the next request would begin is anyone's guess.
  app.addHook('onSend', async ({ raw }, reply) => {
    if (waiting.has(raw)) reply.header('connection', 'close')
  })
}, { name: 'expect-continue' })
