import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import Fastify, { type FastifyReply } from 'fastify'
import { test, type Test } from 'tap'
import { ImageInvalid, StorageUnavailable } from '../../src/errors.ts'
import { cors } from '../../src/plugins/cors.ts'
import { methods } from '../../src/plugins/methods.ts'
import { problems } from '../../src/plugins/problems.ts'
import { negotiateFormat } from '../../src/transfer/negotiate.ts'
import { send } from '../../src/transfer/send.ts'
import { varyByAccept } from '../../src/transfer/vary.ts'
import { representationOf } from './fixtures/representation.ts'
import { portOf } from './fixtures/serving.ts'

const origin = 'https://app.example'
const files = {
  avif: representationOf(Buffer.from('of avif'), { contentType: 'image/avif' }),
  webp: representationOf(Buffer.from('of webp'), { contentType: 'image/webp' }),
  auto: representationOf(Buffer.from('of jpeg'), { contentType: 'image/jpeg' }),
  missing: representationOf(Buffer.from('gone'), { read: async () => { throw new StorageUnavailable() } }),
  explicit: representationOf(Buffer.from('as asked')),
}

/** The plugins that app.ts has before its routes, and three routes: negotiated, not negotiated, failed. */
async function build (t: Test, corsOrigins: string[]) {
  const app = Fastify({ forceCloseConnections: true })
  await app.register(problems)
  await app.register(cors, { corsOrigins })
  await app.register(methods)
  const negotiated = { onRequest: async (_request: unknown, reply: FastifyReply) => varyByAccept(reply) }
  app.get('/picture', negotiated, (request, reply) => send(request, reply, files[negotiateFormat(request.headers.accept)]))
  app.get('/explicit', (request, reply) => send(request, reply, files.explicit))
  app.get('/missing', negotiated, (request, reply) => send(request, reply, files.missing))
  app.get('/broken', negotiated, async () => { throw new ImageInvalid() })
  t.teardown(() => app.close())
  return app
}

const cases: Array<[status: number, url: string, headers: Record<string, string>]> = [
  [200, '/picture', {}],
  [206, '/picture', { range: 'bytes=0-1' }],
  [304, '/picture', { 'if-none-match': '*' }],
  [412, '/picture', { 'if-match': '"another"' }],
  [416, '/picture', { range: 'bytes=99-' }],
  [503, '/missing', {}],
  [422, '/broken', {}],
]

test('whatever is answered of a negotiated picture says so, beside what CORS says', async (t) => {
  for (const [corsOrigins, vary] of [[[], 'Accept'], [['*'], 'Accept'], [[origin], 'Origin, Accept'], [[origin, 'https://b.example'], 'Origin, Accept']] as const) {
    const app = await build(t, [...corsOrigins])
    for (const [status, url, headers] of cases) {
      for (const from of [{}, { origin }, { origin: 'https://other.example' }]) {
        const answer = await app.inject({ url, headers: { accept: 'image/webp,*/*', ...headers, ...from } })
        t.equal(answer.statusCode, status, url)
        t.equal(answer.headers.vary, vary, `${status} ${corsOrigins}`)
      }
    }
    const head = await app.inject({ method: 'HEAD', url: '/picture' })
    t.match(head, { statusCode: 200, headers: { vary } })
    const unchanged = await app.inject({ method: 'HEAD', url: '/picture', headers: { 'if-none-match': '*' } })
    t.match(unchanged, { statusCode: 304, headers: { vary } })
  }
})

test('what was not negotiated does not say so', async (t) => {
  t.equal((await (await build(t, [])).inject('/explicit')).headers.vary, undefined)
  const app = await build(t, [origin])
  t.equal((await app.inject({ url: '/explicit', headers: { origin } })).headers.vary, 'Origin')
  t.equal((await app.inject({ url: '/explicit', headers: { range: 'bytes=99-' } })).headers.vary, 'Origin')
  t.equal((await app.inject('/nothing')).headers.vary, 'Origin')
})

test('each client gets its format, under its own tag', async (t) => {
  const app = await build(t, [])
  const avif = await app.inject({ url: '/picture', headers: { accept: 'image/avif,image/webp,*/*' } })
  const webp = await app.inject({ url: '/picture', headers: { accept: 'image/webp,*/*' } })
  const jpeg = await app.inject('/picture')
  t.same([avif, webp, jpeg].map(({ headers, body }) => [headers['content-type'], body]), [['image/avif', 'of avif'], ['image/webp', 'of webp'], ['image/jpeg', 'of jpeg']])
  t.equal(new Set([avif, webp, jpeg].map(({ headers }) => headers.etag)).size, 3)
  const other = await app.inject({ url: '/picture', headers: { accept: 'image/webp', 'if-none-match': String(avif.headers.etag) } })
  t.match(other, { statusCode: 200, body: 'of webp' }, 'a tag of another format is no hit')
})

test('on the wire it is one field', async (t) => {
  const app = await build(t, [origin])
  const port = await portOf(app)
  for (const [status, url, headers] of cases) {
    const [response] = await once(get({ port, path: url, headers: { ...headers, origin } }), 'response') as [IncomingMessage]
    response.resume()
    const fields = response.rawHeaders.filter((_text, index) => index % 2 === 1 && response.rawHeaders[index - 1]?.toLowerCase() === 'vary')
    t.equal(response.statusCode, status)
    t.same(fields, ['Origin, Accept'], url)
  }
})

test('what another part of the service said stays, and nothing is said twice', async (t) => {
  const said: Array<[before: string | string[] | undefined, after: string]> = [
    [undefined, 'Accept'],
    ['', 'Accept'],
    ['Origin', 'Origin, Accept'],
    ['Origin,  Accept-Encoding ,', 'Origin, Accept-Encoding, Accept'],
    [['Origin', 'Accept-Encoding'], 'Origin, Accept-Encoding, Accept'],
    ['accept', 'accept'],
    ['Origin, ACCEPT', 'Origin, ACCEPT'],
    ['*', '*'],
    ['Origin, *', 'Origin, *'],
  ]
  for (const [before, after] of said) {
    const app = Fastify()
    t.teardown(() => app.close())
    app.get('/', async (_request, reply) => {
      if (before !== undefined) reply.header('Vary', before)
      varyByAccept(reply)
      varyByAccept(reply)
      return ''
    })
    t.equal((await app.inject('/')).headers.vary, after)
  }
})
