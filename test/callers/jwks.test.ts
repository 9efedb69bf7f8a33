import { createServer } from 'node:http'
import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createJwks } from '../../src/callers/jwks.ts'

type Answer = { status?: number, keys?: readonly object[], text?: string, headers?: Record<string, string>, isSilent?: boolean }

/** A JWKS document over HTTP; what it answers can be changed, and it counts how often it was asked. */
async function serve (t: Test, answer: Answer) {
  const served = { answer, count: 0, url: '' }
  const server = createServer((_request, response) => {
    served.count++
    const { status = 200, keys = [], text = JSON.stringify({ keys }), headers = {}, isSilent = false } = served.answer
    if (!isSilent) response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise((resolve) => { server.close(resolve); server.closeAllConnections() }))
  served.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
  return served
}

const rsaKey = (kid: string | undefined, more: JsonWebKey = {}) => ({ ...generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' }), ...(kid !== undefined && { kid }), ...more })
const [one, two] = [rsaKey('one'), rsaKey('two')]
const ec = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid: 'ec' }
const ed = { ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid: 'ed' }

t.test('the key is the one that the token names, with the algorithm of its type', async (t) => {
  const served = await serve(t, { keys: [one, two, ec, ed] })
  const { candidates, signingSecret } = createJwks(served.url)
  t.equal(signingSecret, undefined)
  for (const [alg, kid] of [['RS256', 'one'], ['RS256', 'two'], ['ES256', 'ec'], ['EdDSA', 'ed']]) {
    const [key, ...others] = await candidates({ alg, kid })
    t.equal(key?.algorithm, alg)
    t.match(key?.key, /^-----BEGIN PUBLIC KEY-----/)
    t.same(others, [])
  }
  t.equal(served.count, 1, 'fetched once for all')
})

t.test('a token that names no key may be signed with each that fits', async (t) => {
  const served = await serve(t, { keys: [one, two, ec] })
  t.equal((await createJwks(served.url).candidates({ alg: 'RS256' })).length, 2)
})

t.test('only RS256, ES256 and EdDSA are looked for, and nothing is fetched for others', async (t) => {
  const served = await serve(t, { keys: [one, { kty: 'oct', k: 'c2VjcmV0', kid: 'secret' }] })
  const { candidates } = createJwks(served.url)
  for (const alg of ['none', 'HS256', 'RS512', 'PS256', 'ES384', 'Ed25519', 'rs256', '', undefined, ['RS256']]) {
    t.same(await candidates({ alg, kid: 'secret' }), [], String(alg))
  }
  t.equal(served.count, 0)
})

t.test('keys for encryption, of another algorithm or too short are not used', async (t) => {
  const short = { ...generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' }), kid: 'short' }
  const served = await serve(t, { keys: [rsaKey('enc', { use: 'enc' }), rsaKey('ps', { alg: 'PS256' }), short] })
  const { candidates } = createJwks(served.url)
  for (const kid of ['enc', 'ps', 'short', '../../etc/passwd', '__proto__']) t.same(await candidates({ alg: 'RS256', kid }), [], kid)
})

t.test('a key that was added later is found, and one that was withdrawn is not', async (t) => {
  const served = await serve(t, { keys: [one] })
  const { candidates } = createJwks(served.url, { cooldownMs: 0 })
  t.equal((await candidates({ alg: 'RS256', kid: 'one' })).length, 1)
  served.answer = { keys: [two] }
  t.equal((await candidates({ alg: 'RS256', kid: 'two' })).length, 1)
  t.equal((await candidates({ alg: 'RS256', kid: 'one' })).length, 0)
})

t.test('a withdrawn key is forgotten when the document has aged', async (t) => {
  const served = await serve(t, { keys: [one, two] })
  const { candidates } = createJwks(served.url, { maxAgeMs: 0 })
  t.equal((await candidates({ alg: 'RS256', kid: 'one' })).length, 1)
  served.answer = { keys: [two] }
  t.equal((await candidates({ alg: 'RS256', kid: 'one' })).length, 0)
})

t.test('a flood of made-up key ids causes one fetch', async (t) => {
  const served = await serve(t, { keys: [one] })
  const { candidates } = createJwks(served.url)
  await Promise.all(Array.from({ length: 200 }, async (_, index) => t.same(await candidates({ alg: 'RS256', kid: `made-up-${index}` }), [])))
  t.equal(served.count, 1)
})

t.test('keys that cannot be fetched are KEYS_UNAVAILABLE, and the service is left alone for a moment', async (t) => {
  const answers: Record<string, Answer> = {
    'an error': { status: 500, keys: [one] },
    'a redirect': { status: 302, headers: { location: 'http://127.0.0.1:1/' } },
    'not JSON': { text: '<html>' },
    'no key set': { text: '{"keys":7}' },
  }
  for (const [name, answer] of Object.entries(answers)) {
    const served = await serve(t, answer)
    const { candidates } = createJwks(served.url, { pauseMs: 60_000 })
    const ask = () => t.rejects(candidates({ alg: 'RS256', kid: 'one' }), { code: 'KEYS_UNAVAILABLE', statusCode: 503 }, name)
    await Promise.all([ask(), ask()])
    await ask()
    t.equal(served.count, 1, `${name}: asked once`)
  }
})

t.test('a service that is down gives KEYS_UNAVAILABLE, and its keys are used once it is back', async (t) => {
  const served = await serve(t, { status: 503 })
  const { candidates } = createJwks(served.url, { pauseMs: 0 })
  await t.rejects(candidates({ alg: 'RS256', kid: 'one' }), { code: 'KEYS_UNAVAILABLE' })
  served.answer = { keys: [one] }
  t.equal((await candidates({ alg: 'RS256', kid: 'one' })).length, 1)
  await t.rejects(createJwks('http://127.0.0.1:1/jwks').candidates({ alg: 'RS256' }), { code: 'KEYS_UNAVAILABLE' }, 'nothing listens')
})

t.test('a service that never answers is given up at the deadline', async (t) => {
  const served = await serve(t, { isSilent: true })
  const { candidates } = createJwks(served.url, { timeoutMs: 50 })
  const begin = performance.now()
  await t.rejects(candidates({ alg: 'RS256', kid: 'one' }), { code: 'KEYS_UNAVAILABLE', cause: { name: 'JWKSTimeout' } })
  t.ok(performance.now() - begin < 2000)
})

t.test('a token may say where its keys are only when that is the configured place', async (t) => {
  const served = await serve(t, { keys: [one] })
  const other = await serve(t, { keys: [one] })
  const { candidates } = createJwks(served.url)
  t.same(await candidates({ alg: 'RS256', kid: 'one', jku: other.url }), [])
  t.equal((await candidates({ alg: 'RS256', kid: 'one', jku: served.url })).length, 1)
  t.equal(other.count, 0, 'no other place is asked')
})

t.test('what was verified while keys are fetched anew rests on none that is withdrawn by it', async (t) => {
  const served = await serve(t, { keys: [one, two] })
  const { candidates, basis } = createJwks(served.url, { cooldownMs: 0 })
  await candidates({ alg: 'RS256', kid: 'one' })
  const before = basis()
  t.equal(before(), true)
  served.answer = { keys: [two] }
  // Else there are microtasks alone between the answer of the issuer and its use.
  const { json } = Response
  t.teardown(() => { Response.json = json })
  Response.json = (body) => Object.assign(json.call(Response, body), { json: async () => { await setTimeout(20); return body } })
  const fetched = candidates({ alg: 'RS256', kid: 'new' })
  const bases: Array<() => boolean> = []
  for (let times = 0; times < 10; times += 1) {
    const verifiedBy = basis()
    if ((await candidates({ alg: 'RS256', kid: 'one' })).length > 0) bases.push(verifiedBy)
    await setTimeout(1)
  }
  await fetched
  t.ok(bases.length > 3)
  t.strictSame([before, ...bases].filter((holds) => holds()), [])
})
