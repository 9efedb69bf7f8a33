import { test } from 'tap'
import { createCall, jsonOf, newKey, type GetToken } from '../../src/client/call.ts'
import { byFetch } from '../../src/client/transport.ts'
import { problem, unsteady, type Asked, type Fault } from './fixtures/serve.ts'

function calling (plan: (asked: Asked, count: number) => Fault, { getToken = () => 'token', baseUrl = 'http://gateway.example/' }: { getToken?: GetToken, baseUrl?: string } = {}) {
  const { fetch, asked } = unsteady(plan)
  return { asked, call: createCall({ baseUrl, getToken, transport: byFetch(fetch), pace: { retries: 2, delayMs: 1 } }) }
}

const ok = (body: unknown = {}) => new Response(JSON.stringify(body))

test('an address has what is given of a query, and one slash', (t) => {
  const { call } = calling(() => ok())
  t.equal(call.address('/api/x'), 'http://gateway.example/api/x')
  t.equal(call.address('/api/x', { a: 'ä&b', b: undefined, c: 0, d: false }), 'http://gateway.example/api/x?a=%C3%A4%26b&c=0&d=false')
  t.equal(calling(() => ok(), { baseUrl: '' }).call.address('/api/x'), '/api/x', 'in a page of the gateway\'s own origin')
  t.equal(calling(() => ok(), { baseUrl: 'https://example.com/uploads' }).call.address('/api/x'), 'https://example.com/uploads/api/x')
  t.end()
})

test('a request carries the token, and the JSON its type; nothing that is undefined', async (t) => {
  const { call, asked } = calling(() => ok({ a: 1 }))
  t.strictSame(await call.json('POST', '/api/x', { json: { b: 2 }, headers: { Range: undefined, 'Idempotency-Key': 'k' } }), { a: 1 })
  t.strictSame(asked[0]?.headers, { Authorization: 'Bearer token', 'Content-Type': 'application/json', 'Idempotency-Key': 'k' })
  const { call: nobody, asked: anonymous } = calling(() => ok(), { getToken: () => undefined })
  await nobody.ask('GET', '/api/x')
  t.strictSame(anonymous[0]?.headers, {})
})

test('a refused token is replaced once, and the same request sent again', async (t) => {
  const reasons: boolean[] = []
  const getToken: GetToken = async ({ isRefused }) => { reasons.push(isRefused); return isRefused ? 'new' : 'old' }
  const { call, asked } = calling(({ headers }) => headers['Authorization'] === 'Bearer new' ? ok() : problem(401, 'TOKEN_INVALID'), { getToken })
  t.ok((await call.ask('GET', '/api/x')).ok)
  t.strictSame(reasons, [false, true])
  t.equal(asked.length, 2)
  await call.ask('GET', '/api/x')
  t.equal(asked.length, 3, 'and not sent again where the program goes on giving it')
})

test('when the new one is refused too, or is the same, that is the end', async (t) => {
  let count = 0
  const { call, asked } = calling(() => problem(401, 'TOKEN_INVALID'), { getToken: () => String(count++) })
  await t.rejects(call.ask('GET', '/api/x'), { code: 'TOKEN_INVALID', status: 401 })
  t.equal(asked.length, 2)
  for (const getToken of [() => 'same', () => undefined]) {
    const { call, asked } = calling(() => problem(401, 'TOKEN_INVALID'), { getToken })
    await t.rejects(call.ask('GET', '/api/x'), { code: 'TOKEN_INVALID', status: 401 })
    t.equal(asked.length, 1)
  }
})

test('a token that cannot be had is the program\'s own error', async (t) => {
  const { call, asked } = calling(() => ok(), { getToken: async () => { throw new Error('logged out') } })
  await t.rejects(call.ask('GET', '/api/x'), { message: 'logged out' })
  t.equal(asked.length, 0)
})

test('what fails for a while is sent again as it was; what is refused is not', async (t) => {
  const { call, asked } = calling((_, count) => [problem(503, 'SERVICE_STOPPING'), 'cut' as const, ok('done')][count - 1])
  t.equal(await call.json('POST', '/api/x', { json: {}, headers: { 'Idempotency-Key': 'k' } }), 'done')
  t.strictSame(asked.map(({ headers }) => headers['Idempotency-Key']), ['k', 'k', 'k'])
  const refusing = calling(() => problem(404, 'ATTACHMENT_NOT_FOUND'))
  await t.rejects(refusing.call.ask('GET', '/api/x'), { code: 'ATTACHMENT_NOT_FOUND', status: 404, requestId: 'r-1' })
  t.equal(refusing.asked.length, 1)
})

test('an answer that breaks off is asked for again', async (t) => {
  const broken = () => new Response(new ReadableStream({ start: (controller) => controller.error(new Error('cut')) }))
  const { call, asked } = calling((_, count) => count === 1 ? broken() : ok('whole'))
  t.equal(await call.json('GET', '/api/x'), 'whole')
  t.equal(asked.length, 2)
  await t.rejects(jsonOf(broken()), { code: 'NETWORK_FAILED' })
})

test('what was deleted by a try whose answer was lost is deleted', async (t) => {
  const { call } = calling((_, count) => count === 1 ? 'cut' : problem(404, 'ATTACHMENT_NOT_FOUND'))
  t.equal(await call.gone('/api/x'), undefined)
  await t.rejects(calling(() => problem(404, 'ATTACHMENT_NOT_FOUND')).call.gone('/api/x'), { code: 'ATTACHMENT_NOT_FOUND' }, 'by nobody\'s try')
  await t.rejects(calling((_, count) => count === 1 ? 'cut' : problem(403, 'OWNER_FORBIDDEN')).call.gone('/api/x'), { code: 'OWNER_FORBIDDEN' })
})

test('keys are never the same twice, also where pages are not served securely', (t) => {
  const keys = new Set(Array.from({ length: 50 }, newKey))
  t.intercept(globalThis.crypto, 'randomUUID', { value: undefined })
  for (let i = 0; i < 50; i++) keys.add(newKey())
  t.equal(keys.size, 100)
  for (const key of keys) t.match(key, /^[0-9a-f-]{32,36}$/)
  t.end()
})
