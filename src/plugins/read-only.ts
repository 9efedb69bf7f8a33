// READ_ONLY=true: what would change something is refused, before a byte of its body is asked for; all else goes on. What runs without being asked is not started by app.ts.
import type { FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { ReadOnly, withHeaders } from '../errors.ts'

/** Moving a deployment takes minutes; the typed client tries eight times, some four minutes. */
const retryAfterSeconds = '30'

const reads: readonly string[] = ['GET', 'HEAD', 'OPTIONS']

/** They make or take back what clients hold, and leave nothing here. */
const writesNothing: readonly string[] = ['POST /api/auth/login', 'POST /api/media-session', 'DELETE /api/media-session']

/** Whether requests of this method to the route at `url` may change anything. */
export const mayChange = (method: string, url: string): boolean => !reads.includes(method) && !writesNothing.includes(`${method} ${url}`)

/** After `methods`: what there is nothing at is told so in any case. */
export const readOnly = fastifyPlugin(async (app) => {
  app.addHook('onRequest', async (request) => {
    if (mayChange(methodOf(request), request.routeOptions.url ?? '')) throw withHeaders(new ReadOnly(), { 'Retry-After': retryAfterSeconds })
  })
}, { name: 'read-only', fastify: '5.x', dependencies: ['methods'] })

/** Clients of tus that can only send POST say so what they mean. */
function methodOf ({ method, headers, routeOptions: { url } }: FastifyRequest): string {
  const meant = headers['x-http-method-override']
  return method === 'POST' && url === '/api/resumable/:id' && typeof meant === 'string' ? meant.toUpperCase() : method
}
