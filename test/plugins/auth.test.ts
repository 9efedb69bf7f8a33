import { createHmac, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import type { UserId } from '../../src/callers/caller.ts'
import { openKeys, type KeyRing } from '../../src/callers/keys.ts'
import { secretFiles } from '../../src/storage/secret-files.ts'
import { createMint } from '../../src/callers/mint.ts'
import { auth, authenticate, callerOf, identify, requireScope, type AuthOptions } from '../../src/plugins/auth.ts'
import { problems } from '../../src/plugins/problems.ts'

const unchecked = { jwtIssuer: '', jwtAudience: '', jwtUserClaim: 'sub' }
const [newer, older] = ['n'.repeat(32), 'o'.repeat(32)] as const
const secretKeys = await openKeys({ keys: { mode: 'secret', secrets: [newer, older] } }, secretFiles(''))
const mint = createMint(newer, unchecked)
const ada = 'ada' as UserId
const soon = Math.floor(Date.now() / 1000) + 600

async function build (t: Test, options: Partial<AuthOptions> = {}) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(problems)
  await app.register(auth, { config: unchecked, keys: secretKeys, ...options })
  const who = async (request: Parameters<typeof identify>[0]) => ({ id: request.caller?.id ?? null, scopes: [...request.caller?.scopes ?? []] })
  app.get('/needed', { onRequest: authenticate }, who)
  app.get('/optional', { onRequest: identify }, who)
  app.get('/service', { onRequest: [authenticate, requireScope('uploads:service')] }, who)
  app.get('/admin', { onRequest: [authenticate, requireScope('uploads:admin')] }, who)
  app.get('/unguarded', async (request) => callerOf(request).id)
  return async (url: string, authorization?: string) => {
    const response = await app.inject({ url, headers: authorization === undefined ? {} : { authorization } })
    return { status: response.statusCode, body: response.json(), challenge: response.headers['www-authenticate'] }
  }
}

type Ask = Awaited<ReturnType<typeof build>>

const base64 = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

function token (header: object, claims: unknown, signature: (input: string) => string): string {
  const input = `${base64(header)}.${base64(claims)}`
  return `${input}.${signature(input)}`
}

const hs256 = (claims: unknown, { header = {}, secret = newer }: { header?: object, secret?: string | Buffer } = {}) =>
  token({ alg: 'HS256', typ: 'JWT', ...header }, claims, (input) => createHmac('sha256', secret).update(input).digest('base64url'))

const signed = (key: KeyObject, claims: unknown, header: object) =>
  token(header, claims, (input) => sign(key.asymmetricKeyType === 'ed25519' ? undefined : 'sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url'))

async function refused (t: Test, ask: Ask, tokens: Record<string, string>) {
  for (const [name, text] of Object.entries(tokens)) {
    for (const url of ['/needed', '/optional']) {
      const { status, body, challenge } = await ask(url, `Bearer ${text}`)
      t.match({ status, body }, { status: 401, body: { code: 'TOKEN_INVALID', detail: 'The token is not valid or has expired; get a new one.' } }, `${name} ${url}`)
      t.match(challenge, /^Bearer realm="upload-gateway", error="invalid_token"/, `${name} ${url}`)
    }
  }
}

t.test('a valid token says who the caller is', async (t) => {
  const ask = await build(t)
  const made = await mint(ada, { seconds: 60, scopes: ['uploads:service'] })
  for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
    t.match(await ask('/needed', `${scheme} ${made}`), { status: 200, body: { id: 'ada', scopes: ['uploads:service'] } })
  }
  t.match(await ask('/optional', `Bearer ${made}`), { status: 200, body: { id: 'ada' } })
})

t.test('without a token a route says that it needs one, or goes on without', async (t) => {
  const ask = await build(t)
  for (const authorization of [undefined, '', 'Basic YTpi', 'Bearerx abc']) {
    t.match(await ask('/needed', authorization), { status: 401, body: { code: 'TOKEN_MISSING' }, challenge: 'Bearer realm="upload-gateway"' })
    t.match(await ask('/optional', authorization), { status: 200, body: { id: null } })
  }
  t.match(await ask('/unguarded'), { status: 401, body: { code: 'TOKEN_MISSING' } })
})

t.test('tokens that are none are refused', async (t) => {
  const valid = hs256({ sub: 'ada' })
  const [header = '', claims = '', signature = ''] = valid.split('.')
  await refused(t, await build(t), {
    empty: '',
    word: 'undefined',
    dots: '..',
    'two parts': `${header}.${claims}`,
    'four parts': `${valid}.x`,
    'two tokens': `${valid} ${valid}`,
    'trailing padding': `${valid}=`,
    'no signature': `${header}.${claims}.`,
    'cut signature': `${header}.${claims}.${signature.slice(0, -4)}`,
    'other claims': `${header}.${base64({ sub: 'root' })}.${signature}`,
    'claims are a list': hs256(['ada']),
    'claims are null': hs256('null'),
    'claims are no JSON': hs256('{"sub":"ada"'),
    'header is no JSON': token({}, { sub: 'ada' }, () => signature).replace(/^[^.]*/, base64('{')),
    'header is a list': `${base64([])}.${claims}.${signature}`,
    'no algorithm': hs256({ sub: 'ada' }, { header: { alg: undefined } }),
    'encrypted (five parts)': `${base64({ alg: 'dir', enc: 'A256GCM' })}..a.b.c`,
    huge: hs256({ sub: 'ada', padding: 'x'.repeat(20_000) }),
    'a megabyte of dots': '.'.repeat(1 << 20),
    'wrong secret': hs256({ sub: 'ada' }, { secret: 'w'.repeat(32) }),
    'empty secret': hs256({ sub: 'ada' }, { secret: '' }),
  })
})

t.test('the algorithm is never the token\'s choice', async (t) => {
  const unsigned = (alg: string) => token({ alg }, { sub: 'ada' }, () => '')
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await refused(t, await build(t), {
    none: unsigned('none'),
    None: unsigned('None'),
    nOnE: unsigned('nOnE'),
    'none with a signature': hs256({ sub: 'ada' }, { header: { alg: 'none' } }),
    'HS256 unsigned': unsigned('HS256'),
    HS512: token({ alg: 'HS512' }, { sub: 'ada' }, (input) => createHmac('sha512', newer).update(input).digest('base64url')),
    RS256: signed(privateKey, { sub: 'ada' }, { alg: 'RS256' }),
    'algorithm is a list': hs256({ sub: 'ada' }, { header: { alg: ['HS256'] } }),
  })
})

t.test('headers that bring a key, point at one or ask for more are refused, also when the signature is right', async (t) => {
  const jwk = { kty: 'oct', k: base64('k'.repeat(32)) }
  const headers: Record<string, object> = {
    jwk: { jwk },
    jku: { jku: 'http://127.0.0.1:1/jwks' },
    x5u: { x5u: 'http://127.0.0.1:1/cert' },
    crit: { crit: ['exp'], exp: 1 },
    'crit b64': { crit: ['b64'], b64: false },
    'crit empty': { crit: [] },
    'crit null': { crit: null },
    'kid is an object': { kid: { $ne: null } },
    'kid is a number': { kid: 0 },
  }
  const ask = await build(t)
  await refused(t, ask, Object.fromEntries(Object.entries(headers).map(([name, header]) => [name, hs256({ sub: 'ada' }, { header })])))
  await refused(t, ask, { 'own jwk': hs256({ sub: 'ada' }, { header: { jwk }, secret: 'k'.repeat(32) }) })
})

t.test('a key id neither opens a file nor chooses another secret', async (t) => {
  const ask = await build(t)
  const kids = ['../../../../dev/null', '/proc/sys/kernel/randomize_va_space', "' UNION SELECT 'x", '| touch /tmp/x', '__proto__', '']
  for (const secret of ['', '\0', '0\n', 'x', 'AA==']) {
    await refused(t, ask, Object.fromEntries(kids.map((kid) => [`${kid} ${secret}`, hs256({ sub: 'ada' }, { header: { kid }, secret })])))
  }
  t.match(await ask('/needed', `Bearer ${hs256({ sub: 'ada' }, { header: { kid: '../x' } })}`), { status: 200 }, 'it is not looked at')
})

t.test('times are checked, with five seconds for clocks that differ', async (t) => {
  const ask = await build(t)
  const now = Math.floor(Date.now() / 1000)
  await refused(t, ask, {
    expired: hs256({ sub: 'ada', exp: now - 30 }),
    'expired long ago': hs256({ sub: 'ada', exp: 0 }),
    'not yet valid': hs256({ sub: 'ada', nbf: now + 60 }),
    'exp is a text': hs256({ sub: 'ada', exp: String(now + 60) }),
    'exp is null': hs256({ sub: 'ada', exp: null }),
    'exp is a list': hs256({ sub: 'ada', exp: [now + 60] }),
    'nbf is a text': hs256({ sub: 'ada', nbf: '0' }),
  })
  t.match(await ask('/needed', `Bearer ${hs256({ sub: 'ada', exp: now - 1, nbf: now + 3 })}`), { status: 200 })
  t.match(await ask('/needed', `Bearer ${hs256({ sub: 'ada' })}`), { status: 200 }, 'a token need not expire')
})

t.test('issuer and audience are checked when configured, and then must be there', async (t) => {
  const config = { ...unchecked, jwtIssuer: 'https://id.example', jwtAudience: 'uploads' }
  const ask = await build(t, { config })
  const right = { sub: 'ada', iss: 'https://id.example', aud: 'uploads' }
  t.match(await ask('/needed', `Bearer ${hs256(right)}`), { status: 200 })
  t.match(await ask('/needed', `Bearer ${hs256({ ...right, aud: ['other', 'uploads'] })}`), { status: 200 })
  t.match(await ask('/needed', `Bearer ${await createMint(newer, config)(ada, { seconds: 60 })}`), { status: 200 }, 'its own tokens pass')
  await refused(t, ask, {
    'no issuer': hs256({ ...right, iss: undefined }),
    'other issuer': hs256({ ...right, iss: 'https://id.example.evil' }),
    'issuer is a list': hs256({ ...right, iss: ['https://id.example'] }),
    'no audience': hs256({ ...right, aud: undefined }),
    'other audience': hs256({ ...right, aud: 'upload' }),
    'empty list of audiences': hs256({ ...right, aud: [] }),
    'audience is an object': hs256({ ...right, aud: { uploads: true } }),
  })
})

t.test('a token that names no possible user is refused', async (t) => {
  await refused(t, await build(t), { nobody: hs256({}), me: hs256({ sub: 'me' }), path: hs256({ sub: '../x' }), object: hs256({ sub: {} }) })
})

t.test('while secrets rotate, tokens of the older one stay valid and new ones are signed with the first', async (t) => {
  const ask = await build(t)
  t.match(await ask('/needed', `Bearer ${hs256({ sub: 'ada' }, { secret: older })}`), { status: 200 })
  t.equal(secretKeys.signingSecret, newer)
  const later = await build(t, { keys: await openKeys({ keys: { mode: 'secret', secrets: [newer] } }, secretFiles('')) })
  await refused(t, later, { 'the older secret is gone': hs256({ sub: 'ada' }, { secret: older }) })
})

t.test('a public key takes its own algorithm only', async (t) => {
  const pairs = {
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    EdDSA: generateKeyPairSync('ed25519'),
  }
  for (const [alg, { publicKey, privateKey }] of Object.entries(pairs)) {
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    const keys = await openKeys({ keys: { mode: 'public-key', pem } }, secretFiles(''))
    t.equal(keys.signingSecret, undefined)
    const ask = await build(t, { keys })
    t.match(await ask('/needed', `Bearer ${signed(privateKey, { sub: 'ada', exp: soon }, { alg })}`), { status: 200, body: { id: 'ada' } }, alg)
    const others = Object.keys(pairs).filter((other) => other !== alg)
    await refused(t, ask, {
      ...Object.fromEntries(others.map((other) => [`${alg} key, ${other} token`, signed(privateKey, { sub: 'root' }, { alg: other })])),
      'the PEM as HS256 secret': hs256({ sub: 'root' }, { secret: pem }),
      'the PEM as HS256 secret, trimmed': hs256({ sub: 'root' }, { secret: pem.trim() }),
      'the DER as HS256 secret': hs256({ sub: 'root' }, { secret: publicKey.export({ type: 'spki', format: 'der' }) }),
      none: token({ alg: 'none' }, { sub: 'root' }, () => ''),
      'another key': signed(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, { sub: 'root' }, { alg }),
      'another key, embedded': signed(pairs.RS256.privateKey, { sub: 'root' }, { alg: 'RS256', jwk: pairs.RS256.publicKey.export({ format: 'jwk' }) }),
    })
  }
})

t.test('with JWKS the key is the issuer\'s, and no other algorithm, key or place is accepted', async (t) => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'rsa' }
  const server = createServer((_request, response) => response.end(JSON.stringify({ keys: [jwk, { ...ec.publicKey.export({ format: 'jwk' }), kid: 'ec' }] })))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => { server.closeAllConnections(); server.close() })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const keys = await openKeys({ keys: { mode: 'jwks', url } }, secretFiles(''))
  const ask = await build(t, { keys, config: { ...unchecked, jwtAudience: 'uploads' } })
  const claims = { sub: 'ada', aud: 'uploads', exp: soon }
  t.match(await ask('/needed', `Bearer ${signed(rsa.privateKey, claims, { alg: 'RS256', kid: 'rsa' })}`), { status: 200 })
  t.match(await ask('/needed', `Bearer ${signed(rsa.privateKey, claims, { alg: 'RS256' })}`), { status: 200 }, 'without a key id')
  t.match(await ask('/needed', `Bearer ${signed(ec.privateKey, claims, { alg: 'ES256', kid: 'ec' })}`), { status: 200 })
  const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString()
  const attacker = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await refused(t, ask, {
    'the PEM as HS256 secret': hs256(claims, { header: { kid: 'rsa' }, secret: pem }),
    'the JWK as HS256 secret': hs256(claims, { header: { kid: 'rsa' }, secret: JSON.stringify(jwk) }),
    none: token({ alg: 'none', kid: 'rsa' }, claims, () => ''),
    'EdDSA with an RSA key': signed(rsa.privateKey, claims, { alg: 'EdDSA', kid: 'rsa' }),
    'own key': signed(attacker.privateKey, claims, { alg: 'RS256', kid: 'rsa' }),
    'own key, embedded': signed(attacker.privateKey, claims, { alg: 'RS256', jwk: attacker.publicKey.export({ format: 'jwk' }) }),
    'unknown key': signed(attacker.privateKey, claims, { alg: 'RS256', kid: '../../x' }),
    'another service\'s token': signed(rsa.privateKey, { ...claims, aud: 'mail' }, { alg: 'RS256', kid: 'rsa' }),
  })
})

t.test('keys that cannot be fetched are 503, not 401', async (t) => {
  const keys = await openKeys({ keys: { mode: 'jwks', url: 'http://127.0.0.1:1/' } }, secretFiles(''))
  const ask = await build(t, { keys })
  const { status, body } = await ask('/needed', `Bearer ${signed(generateKeyPairSync('ed25519').privateKey, { sub: 'ada' }, { alg: 'EdDSA' })}`)
  t.match({ status, body }, { status: 503, body: { code: 'KEYS_UNAVAILABLE' } })
  t.notMatch(JSON.stringify(body), '127.0.0.1')
  t.match(await ask('/optional'), { status: 200 }, 'who sends no token needs no key')
})

t.test('without any key a generated secret beside the database signs and verifies', async (t) => {
  const secrets = secretFiles(`${t.testdir()}/database`)
  const open = () => openKeys({ keys: { mode: 'generated' } }, secrets)
  const first: KeyRing = await open()
  const ask = await build(t, { keys: await open() })
  const made = await createMint(first.signingSecret ?? '', unchecked)(ada, { seconds: 60 })
  t.match(await ask('/needed', `Bearer ${made}`), { status: 200 })
})

t.test('a token that was called back is refused, and what it says is shown to whoever decides', async (t) => {
  const seen: unknown[] = []
  const ask = await build(t, { standingOf: async (claims, id) => { seen.push({ ...claims, id }); return { isRevoked: claims['accountGeneration'] === 1, basis: undefined } } })
  await refused(t, ask, { revoked: hs256({ sub: 'ada', accountGeneration: 1 }) })
  t.match(await ask('/needed', `Bearer ${hs256({ sub: 'ada', accountGeneration: 2 })}`), { status: 200 })
  t.match(seen.at(-1), { id: 'ada', sub: 'ada', accountGeneration: 2 })
})

t.test('one caller never leaks into the next request', async (t) => {
  const ask = await build(t)
  t.match(await ask('/optional', `Bearer ${await mint(ada, { seconds: 60 })}`), { body: { id: 'ada' } })
  t.match(await ask('/optional'), { body: { id: null } })
})

t.test('scopes open routes; an admin may do everything; what is missing is named', async (t) => {
  const ask = await build(t)
  const of = async (...scopes: Array<'uploads:service' | 'uploads:admin'>) => `Bearer ${await mint(ada, { seconds: 60, scopes })}`
  t.match(await ask('/service', await of()), {
    status: 403, body: { code: 'SCOPE_MISSING' }, challenge: 'Bearer realm="upload-gateway", error="insufficient_scope", scope="uploads:service"',
  })
  t.match(await ask('/service', await of('uploads:service')), { status: 200 })
  t.match(await ask('/service', await of('uploads:admin')), { status: 200 })
  t.match(await ask('/admin', await of('uploads:service')), { status: 403, body: { code: 'SCOPE_MISSING' } })
  t.match(await ask('/admin', await of('uploads:admin')), { status: 200 })
  t.match(await ask('/admin'), { status: 401, body: { code: 'TOKEN_MISSING' } })
})
