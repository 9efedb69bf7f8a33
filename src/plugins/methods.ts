// What an address takes: 405 with Allow for other methods, OPTIONS, and 404 where there is nothing, all before a body is read.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { MethodNotAllowed, RouteNotFound, withHeaders } from '../errors.ts'

const methodsAsked = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/**
 * Asks the router at request time which methods it would take there, instead of adding routes that answer 405: such a route
 * at `/avatars/me` would shadow GET at `/avatars/:userId`.
 */
export const methods = fastifyPlugin(async (app) => {
  app.addHook('onRequest', async (request, reply) => {
    if (request.method === 'OPTIONS' && isAnsweredHere(request)) {
      const allowed = methodsAt(app, request)
      if (allowed.length === 0 && !isPreflight(request)) throw new RouteNotFound()
      return reply.code(204).header('Allow', [...allowed, 'OPTIONS'].join(', ')).send()
    }
    if (request.is404) throw nothingHere(methodsAt(app, request))
  })
}, { name: 'methods', fastify: '5.x' })

function nothingHere (allowed: string[]): Error {
  if (allowed.length === 0) return new RouteNotFound()
  return withHeaders(new MethodNotAllowed(), { Allow: [...allowed, 'OPTIONS'].join(', ') })
}

/** Preflights carry no credentials and so must not reach a route; @fastify/cors adds the route `*` for OPTIONS. */
function isAnsweredHere (request: FastifyRequest): boolean {
  return isPreflight(request) || request.is404 || request.routeOptions.url === '*'
}

function isPreflight ({ headers }: FastifyRequest): boolean {
  return headers.origin !== undefined && headers['access-control-request-method'] !== undefined
}

function methodsAt (app: FastifyInstance, { url }: FastifyRequest): string[] {
  return methodsAsked.filter((method) => app.findRoute({ method, url }) !== null)
}
