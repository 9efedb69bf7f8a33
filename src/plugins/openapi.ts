// The description of the API at /openapi.json and its page at /docs. What a route takes and gives is said where the route is.
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifySchema, RouteOptions } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { mayChange } from './read-only.ts'
import { describe, mediaCookie, Problem } from './route-description.ts'

/** The page runs its own scripts and talks to its own origin, nothing else; its styles are set from script, hence 'unsafe-inline' for them. */
const pageSecurity = [
  "default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data:", "connect-src 'self'",
  "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
].join('; ')

/** Before the routes it is to describe. `version` is that of the package; `webhooks` what it sends by itself. */
export const openapi = fastifyPlugin(async (app, { version, webhooks = {} }: { version: string, webhooks?: Record<string, object> }) => {
  app.addSchema(Problem)
  await app.register(swagger, {
    openapi: { openapi: '3.1.0', info: info(version), tags, webhooks, components: { securitySchemes } },
    convertConstToEnum: false,
    refResolver: { buildLocalReference: ({ $id }, _base, _fragment, index) => typeof $id === 'string' ? $id : `Schema${index}` },
    transform: ({ schema, url, route }) => operation(schema, url, route),
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: pageSecurity,
    logLevel: 'warn',
    theme: { title: 'Upload Gateway API' },
    uiConfig: { layout: 'BaseLayout', displayRequestDuration: true, tryItOutEnabled: true },
  })
  app.get('/', { schema: { hide: true }, logLevel: 'warn' }, async (_request, reply) => reply.redirect('/docs'))
  app.get('/openapi.json', { schema: { hide: true }, logLevel: 'warn' }, async (_request, reply) => {
    reply.header('Cache-Control', 'no-cache')
    return app.swagger()
  })
}, { name: 'openapi', fastify: '5.x' })

/** What plugins/overload.ts may answer anywhere in the API. */
const everywhere = ['SERVICE_OVERLOADED', 'SERVICE_STOPPING']

function operation (schema: FastifySchema | undefined, url: string, { method, config }: RouteOptions): { schema: FastifySchema, url: string } {
  const { codes = [], ...said } = config?.openapi ?? {}
  const path = url.replace(/\*$/, ':path')
  return {
    url: path,
    schema: {
      operationId: operationId(String(method), path),
      ...describe(schema, { ...said, codes: [...codes, ...(path.startsWith('/api/') ? everywhere : []), ...(mayChange(String(method), url) ? ['READ_ONLY'] : [])] }),
      ...(path !== url && { params: restOfPath }),
    },
  }
}

const restOfPath = { type: 'object', properties: { path: { type: 'string', description: 'The rest of the path, slashes included.' } } }

/** GET /api/avatars/:userId/:version is getAvatarsByUserIdByVersion. */
function operationId (method: string, path: string): string {
  const words = path.replace(/^\/api\//, '').replaceAll(':', 'by-').split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}

const info = (version: string) => ({
  title: 'Upload Gateway',
  version,
  description: 'Avatars and attachments on one volume, behind URLs that never change. Every error is a Problem (RFC 9457) with a stable `code`.',
  license: { name: 'MIT', identifier: 'MIT' },
})

const tags = [
  { name: 'avatars', description: 'One picture per user.' },
  { name: 'attachments', description: 'Files on messages, tickets and documents.' },
  { name: 'resumable', description: 'Uploads that go on where they were cut, in the words of tus 1.0.' },
  { name: 'accounts', description: 'Embedded sign-up and profile.' },
  { name: 'events', description: 'What the gateway tells the service at WEBHOOK_URL, signed as Standard Webhooks has it: see webhooks.' },
  { name: 'users', description: 'All uploads of one user: taking them along, erasing them.' },
  { name: 'compatibility', description: 'What clients of older systems call.' },
  { name: 'operations', description: 'For those who run the service.' },
]

const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  mediaSession: { type: 'apiKey', in: 'cookie', name: mediaCookie, description: 'Set by POST /api/media-session; good for reading bytes only.' },
} as const
