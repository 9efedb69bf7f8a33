import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { cors } from '../../src/plugins/cors.ts'
import { methods } from '../../src/plugins/methods.ts'
import { problems } from '../../src/plugins/problems.ts'

function build (t: Test, corsOrigins: string[] = []) {
  const app = Fastify()
  app.register(problems)
  app.register(cors, { corsOrigins })
  app.register(methods)
  app.get('/avatars/:userId', async () => 'picture')
  app.put('/avatars/me', async () => 'kept')
  app.post('/files', async () => 'posted')
  app.options('/resumable', async (_request, reply) => reply.code(204).header('Tus-Version', '1.0.0').send())
  app.get('/deep/*', async () => 'deep')
  t.teardown(() => app.close())
  return app
}

const preflight = { origin: 'https://app.example', 'access-control-request-method': 'PUT' }

test('a method that an address does not take is 405, with those it does', async (t) => {
  const app = build(t)
  const response = await app.inject({ method: 'DELETE', url: '/avatars/7?x=1' })
  t.equal(response.statusCode, 405)
  t.equal(response.headers['allow'], 'GET, HEAD, OPTIONS')
  t.match(response.json(), { code: 'METHOD_NOT_ALLOWED' })
  t.equal((await app.inject({ url: '/files' })).headers['allow'], 'POST, OPTIONS')
  t.equal((await app.inject({ method: 'PUT', url: '/deep/a/b' })).headers['allow'], 'GET, HEAD, OPTIONS')
  t.equal((await app.inject({ method: 'PROPFIND' as 'GET', url: '/files' })).statusCode, 405)
})

test('what two patterns match takes the methods of both, and neither shadows the other', async (t) => {
  const app = build(t)
  t.equal((await app.inject('/avatars/me')).body, 'picture')
  t.equal((await app.inject({ method: 'POST', url: '/avatars/me' })).headers['allow'], 'GET, HEAD, PUT, OPTIONS')
})

test('where there is nothing it is 404, whatever the method', async (t) => {
  const app = build(t)
  for (const method of ['GET', 'POST', 'OPTIONS'] as const) {
    const response = await app.inject({ method, url: '/nothing' })
    t.equal(response.statusCode, 404, method)
    t.notOk(response.headers['allow'])
  }
})

test('it is told before the body is looked at', async (t) => {
  const app = build(t)
  const send = (url: string, type: string) => app.inject({ method: 'PATCH', url, payload: '{', headers: { 'content-type': type } })
  t.equal((await send('/files', 'multipart/form-data; boundary=x')).statusCode, 405)
  t.equal((await send('/files', 'application/json')).statusCode, 405)
  t.equal((await send('/nothing', 'image/png')).statusCode, 404)
})

test('OPTIONS tells the methods, unless the route has its own answer', async (t) => {
  for (const origins of [[], ['*']]) {
    const app = build(t, origins)
    const response = await app.inject({ method: 'OPTIONS', url: '/files' })
    t.equal(response.statusCode, 204)
    t.equal(response.headers['allow'], 'POST, OPTIONS')
    t.equal((await app.inject({ method: 'OPTIONS', url: '/resumable' })).headers['tus-version'], '1.0.0')
  }
})

test('a preflight never reaches a route', async (t) => {
  const app = build(t, ['*'])
  for (const url of ['/files', '/resumable', '/nothing']) {
    const response = await app.inject({ method: 'OPTIONS', url, headers: preflight })
    t.equal(response.statusCode, 204, url)
    t.equal(response.headers['access-control-allow-origin'], '*')
    t.notOk(response.headers['tus-version'])
  }
})
