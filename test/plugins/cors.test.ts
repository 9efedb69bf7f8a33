import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { UploadTooLarge } from '../../src/errors.ts'
import { cors } from '../../src/plugins/cors.ts'
import { methods } from '../../src/plugins/methods.ts'
import { problems } from '../../src/plugins/problems.ts'

function build (t: Test, corsOrigins: string[]) {
  const app = Fastify()
  app.register(problems)
  app.register(cors, { corsOrigins })
  app.register(methods)
  app.get('/file', async () => 'fine')
  app.put('/file', async () => { throw new UploadTooLarge(1) })
  t.teardown(() => app.close())
  return app
}

const preflight = (origin: string) => ({ origin, 'access-control-request-method': 'PUT', 'access-control-request-headers': 'authorization,upload-offset' })

test('without origins no browser of another origin is let in', async (t) => {
  const app = build(t, [])
  const response = await app.inject({ url: '/file', headers: { origin: 'https://a.example' } })
  t.equal(response.statusCode, 200)
  t.notOk(Object.keys(response.headers).some((name) => name.startsWith('access-control')))
  const answer = await app.inject({ method: 'OPTIONS', url: '/file', headers: preflight('https://a.example') })
  t.notOk(answer.headers['access-control-allow-origin'])
})

test('origins on the list are let in with their cookies, others are not', async (t) => {
  const app = build(t, ['https://a.example', 'https://b.example'])
  const known = await app.inject({ url: '/file', headers: { origin: 'https://b.example' } })
  t.match(known.headers, { 'access-control-allow-origin': 'https://b.example', 'access-control-allow-credentials': 'true', vary: 'Origin' })
  const unknown = await app.inject({ url: '/file', headers: { origin: 'https://evil.example' } })
  t.notOk(unknown.headers['access-control-allow-origin'])
  t.equal(unknown.headers['vary'], 'Origin')
})

test('with * everyone is let in, without cookies', async (t) => {
  const { headers } = await build(t, ['*']).inject({ url: '/file', headers: { origin: 'https://a.example' } })
  t.equal(headers['access-control-allow-origin'], '*')
  t.notOk(headers['access-control-allow-credentials'])
  t.notOk(headers['vary'])
})

test('scripts may see every header that clients need', async (t) => {
  const { headers } = await build(t, ['*']).inject({ url: '/file', headers: { origin: 'https://a.example' } })
  const exposed = String(headers['access-control-expose-headers']).split(', ')
  for (const name of ['ETag', 'Location', 'Content-Disposition', 'Content-Range', 'Accept-Ranges', 'Retry-After', 'X-Request-Id', 'Repr-Digest', 'Upload-Offset']) {
    t.ok(exposed.includes(name), name)
  }
})

test('a preflight is told methods, headers and how long that holds', async (t) => {
  const { statusCode, headers, body } = await build(t, ['https://a.example']).inject({ method: 'OPTIONS', url: '/file', headers: preflight('https://a.example') })
  t.equal(statusCode, 204)
  t.equal(body, '')
  t.match(headers, {
    'access-control-allow-origin': 'https://a.example',
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
    'access-control-allow-headers': 'authorization,upload-offset',
    'access-control-max-age': '7200',
  })
})

test('scripts may read problems too', async (t) => {
  const app = build(t, ['https://a.example'])
  for (const [method, url, status] of [['PUT', '/file', 413], ['GET', '/nothing', 404], ['DELETE', '/file', 405]] as const) {
    const response = await app.inject({ method, url, headers: { origin: 'https://a.example' } })
    t.equal(response.statusCode, status)
    t.equal(response.headers['access-control-allow-origin'], 'https://a.example')
  }
})
