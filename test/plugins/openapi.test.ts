import { Validator } from '@seriousme/openapi-schema-validator'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { Type } from 'typebox'
import { cors } from '../../src/plugins/cors.ts'
import { health } from '../../src/plugins/health.ts'
import { methods } from '../../src/plugins/methods.ts'
import { createMetrics, metricsEndpoint } from '../../src/plugins/metrics.ts'
import { openapi } from '../../src/plugins/openapi.ts'
import { problems } from '../../src/plugins/problems.ts'
import { multipartBody, rawBody, tokenRequired } from '../../src/plugins/route-description.ts'

const Avatar = Type.Object({ userId: Type.String(), width: Type.Union([Type.Integer(), Type.Null()]), at: Type.Optional(Type.String({ format: 'date-time' })) }, { description: 'The avatar.' })

function build (t: Test) {
  const app = Fastify()
  app.register(problems)
  app.register(cors, { corsOrigins: ['*'] })
  app.register(methods)
  app.register(openapi, { version: '1.2.3' })
  app.register(metricsEndpoint, { metrics: createMetrics({ freeBytes: async () => 0, staging: async () => ({ files: 0, bytes: 0 }) }) })
  app.register(health, { checks: [] })
  app.register(async (scope) => {
    scope.addContentTypeParser('*', (_request, _payload, done) => { done(null) })
    scope.put('/avatars/:userId', {
      schema: { tags: ['avatars'], security: tokenRequired, params: Type.Object({ userId: Type.String() }), response: { 200: Avatar, 201: Avatar } },
      config: {
        openapi: {
          requestBody: { 'multipart/form-data': multipartBody('avatar', 1), 'image/*': rawBody },
          responses: { 201: { headers: { Location: { type: 'string', description: 'Where it is.' } } } },
          codes: ['UPLOAD_TOO_LARGE', 'TOKEN_MISSING'],
        },
      },
    }, async () => ({ userId: 'a', width: null }))
    scope.get('/avatars/:userId', { config: { openapi: { responses: { 200: { description: 'The bytes.', bytes: ['image/*'], headers: { ETag: { type: 'string' } } }, 304: { description: 'The same.' } } } } }, async () => 'x')
    scope.delete('/avatars/:userId', { schema: { response: { 204: Type.Null({ description: 'Gone.' }) } } }, async () => null)
  })
  t.teardown(() => app.close())
  return app
}

type Document = { openapi: string, info: { version: string }, paths: Record<string, Record<string, Operation>>, components: { schemas: object } }
type Operation = { operationId: string, parameters?: object[], requestBody?: object, responses: Record<string, object>, security?: object }

test('the document is valid OpenAPI 3.1', async (t) => {
  const response = await build(t).inject('/openapi.json')
  const document = response.json<Document>()
  t.equal(response.statusCode, 200)
  t.match(document, { openapi: /^3\.1\./, info: { version: '1.2.3' } })
  t.match(await new Validator().validate(document), { valid: true, errors: undefined })
})

test('it describes routes of the API and nothing else', async (t) => {
  const { paths } = (await build(t).inject('/openapi.json')).json<Document>()
  t.strictSame(Object.keys(paths).sort(), ['/avatars/{userId}', '/health/live', '/health/ready', '/metrics'])
  t.strictSame(Object.keys(paths['/avatars/{userId}'] ?? {}).sort(), ['delete', 'get', 'put'])
})

test('an upload is described with the bodies that Fastify leaves unread', async (t) => {
  const app = build(t)
  const { paths, components } = (await app.inject('/openapi.json')).json<Document>()
  const put = paths['/avatars/{userId}']?.['put']
  t.match(put, {
    security: [{ bearer: { length: 0 } }],
    requestBody: { content: { 'multipart/form-data': { schema: { required: ['avatar'] } }, 'image/*': { schema: { format: 'binary' } } } },
    responses: {
      200: { description: 'The avatar.', headers: { 'X-Request-Id': Object }, content: { 'application/json': { schema: { properties: { width: { anyOf: [{ type: 'integer' }, { type: 'null' }] } } } } } },
      201: { headers: { Location: { description: 'Where it is.' } } },
      413: { content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } },
      default: Object,
    },
  })
  t.match(components.schemas, { Problem: { properties: { code: { type: 'string' } } } })
  const response = await app.inject({ method: 'PUT', url: '/avatars/a', payload: 'bytes', headers: { 'content-type': 'image/png' } })
  t.equal(response.statusCode, 200, 'and Fastify does not validate them')
  t.strictSame(response.json(), { userId: 'a', width: null })
})

test('answers without a JSON body are described as they are', async (t) => {
  const { paths } = (await build(t).inject('/openapi.json')).json<Document>()
  const { get, delete: remove } = paths['/avatars/{userId}'] ?? {}
  t.match(get?.responses, { 200: { description: 'The bytes.', content: { 'image/*': Object }, headers: { ETag: Object } }, 304: { description: 'The same.' } })
  t.match(remove?.responses[204], { description: 'Gone.' })
  t.notOk('content' in (remove?.responses[204] ?? {}))
})

test('every operation has a name of its own, and the rest of a path is a parameter', async (t) => {
  const app = build(t)
  app.register(async (scope) => {
    scope.get('/api/old/*', async () => 'x')
    scope.get('/api/named', { schema: { operationId: 'itsOwnName' } }, async () => 'x')
  })
  const { paths } = (await app.inject('/openapi.json')).json<Document>()
  const names = Object.values(paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId))
  t.strictSame(names.toSorted(), ['deleteAvatarsByUserId', 'getAvatarsByUserId', 'getHealthLive', 'getHealthReady', 'getMetrics', 'getOldByPath', 'itsOwnName', 'putAvatarsByUserId'])
  t.match(paths['/api/old/{path}']?.['get'], {
    parameters: [{ in: 'path', name: 'path', required: true }],
    responses: { 503: { description: /SERVICE_OVERLOADED.*SERVICE_STOPPING/s } },
  })
})

test('the page is served under a policy that allows no foreign script', async (t) => {
  const app = build(t)
  const page = await app.inject('/docs')
  t.equal(page.statusCode, 200)
  t.match(page.headers, { 'content-type': /^text\/html/, 'content-security-policy': /default-src 'none'; script-src 'self';/ })
  t.notMatch(page.headers['content-security-policy'], /script-src[^;]*unsafe/)
  t.notMatch(page.body, /<script(?![^>]*\bsrc=)/, 'no script of the page is inline')
  const scripts = [...page.body.matchAll(/<script src="([^"]+)"/g)].map(([, url]) => url ?? '')
  t.ok(scripts.length > 0)
  for (const url of [...scripts, '/docs/json']) t.equal((await app.inject(url)).statusCode, 200, url)
})
