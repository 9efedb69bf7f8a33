import { Ajv } from 'ajv'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { validation } from '../../src/plugins/validation.ts'

const text = { anyOf: [{ type: 'string', minLength: 1 }, { type: 'null' }] }

function build (t: Test) {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(validation)
  app.register(async (routes) => {
    routes.post('/', { schema: { body: { type: 'object', required: ['name'], properties: { name: text, count: { type: 'integer' }, mode: { type: 'string', default: 'a' }, email: { type: 'string', format: 'email' } } } } }, async ({ body }) => body)
    routes.get('/', { schema: { querystring: { type: 'object', properties: { limit: { type: 'integer', maximum: 5, default: 3 }, ids: { type: 'array', items: { type: 'string' } }, download: { type: 'boolean' } } } } }, async ({ query }) => query)
    routes.get('/of', { schema: { headers: { type: 'object', properties: { 'x-count': { type: 'integer' } } } } }, async ({ headers }) => ({ count: headers['x-count'] }))
  })
  const post = (payload: object) => app.inject({ method: 'POST', url: '/', payload })
  return { app, post }
}

test('a body is taken as it is: null stays null, what nobody asked for stays, and nothing is converted', async (t) => {
  const { post } = build(t)
  t.strictSame((await post({ name: null, more: 1 })).json(), { name: null, more: 1, mode: 'a' })
  for (const wrong of [{ name: 5 }, { name: '' }, { name: 'x', count: '5' }, { name: 'x', email: 'nobody' }, {}]) t.equal((await post(wrong)).statusCode, 400, JSON.stringify(wrong))
})

test('text from addresses and headers is what it spells', async (t) => {
  const { app } = build(t)
  const get = async (url: string) => (await app.inject({ url })).json()
  t.strictSame(await get('/?limit=5&ids=a&download=true'), { limit: 5, ids: ['a'], download: true })
  t.strictSame(await get('/?ids=a&ids=b'), { limit: 3, ids: ['a', 'b'] })
  for (const url of ['/?limit=6', '/?limit=x', '/?limit=1.5', '/?download=perhaps']) t.equal((await app.inject({ url })).statusCode, 400, url)
  t.strictSame((await app.inject({ url: '/of', headers: { 'x-count': '7' } })).json(), { count: 7 })
})

test('a schema is compiled once, by the first request that is held against it', async (t) => {
  const compiling = t.capture(Ajv.prototype, 'compile', Ajv.prototype.compile)
  const { app, post } = build(t)
  await app.ready()
  t.equal(compiling().length, 0)
  for (const name of ['a', 'b']) t.equal((await post({ name })).statusCode, 200)
  t.equal(compiling().length, 1)
})
