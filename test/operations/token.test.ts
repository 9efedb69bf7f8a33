import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { decodeJwt, jwtVerify } from 'jose'
import t from 'tap'
import type { UserId } from '../../src/callers/caller.ts'
import { mintToken, parseDuration } from '../../src/operations/token.ts'
import { readConfig } from '../../src/config.ts'

const secret = 's'.repeat(32)
const wanted = { subject: 'billing' as UserId, scopes: ['uploads:service'] as const, seconds: 900 }

t.test('a token is signed with the first secret and says what was asked for', async (t) => {
  const now = () => new Date()
  const { token, ...said } = await mintToken(readConfig({ JWT_SECRET: `${secret},${'o'.repeat(32)}`, JWT_ISSUER: 'here', JWT_AUDIENCE: 'uploads' }), wanted, now)
  const { payload } = await jwtVerify(token, Buffer.from(secret), { issuer: 'here', audience: 'uploads' })
  t.match(payload, { sub: 'billing', scope: 'uploads:service' })
  t.equal(payload['accountGeneration'], undefined, 'it is of no account')
  t.same(said, { subject: 'billing', scopes: ['uploads:service'], expiresAt: new Date((payload.exp ?? 0) * 1000).toISOString() })
  t.equal((payload.exp ?? 0) - (payload.iat ?? 0), 900)
})

t.test('without a secret it is signed with the one that the gateway made', async (t) => {
  const folder = t.testdir()
  mkdirSync(`${folder}/database`)
  const kept = 'k'.repeat(64)
  writeFileSync(`${folder}/database/jwt.secret`, `${kept}\n`)
  const { token } = await mintToken(readConfig({ UPLOADS_DIR: folder }), { ...wanted, scopes: [] })
  t.ok(await jwtVerify(token, Buffer.from(kept)))
  t.equal(decodeJwt(token)['scope'], undefined)
})

t.test('where there is no secret, none is made: it would not be that of the gateway', async (t) => {
  const folder = t.testdir()
  await t.rejects(mintToken(readConfig({ UPLOADS_DIR: folder }), wanted), { name: 'Refusal', message: /no key.*database\/jwt\.secret\. Set JWT_SECRET to that of the gateway.*start it once/ })
  t.strictSame(readdirSync(folder), [])
})

t.test('where tokens are only checked, none is made', async (t) => {
  const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString()
  for (const keys of [{ JWT_PUBLIC_KEY: pem }, { JWT_JWKS_URL: 'https://id.example/jwks', JWT_AUDIENCE: 'uploads' }]) {
    await t.rejects(mintToken(readConfig({ ACCOUNTS: 'off', ...keys }), wanted), { name: 'ConfigError', message: /identity service/ })
  }
})

t.test('a duration is a number and a unit', async (t) => {
  t.same(['30s', '15m', '1h', '7d', '3650d'].map(parseDuration), [30, 900, 3600, 604_800, 315_360_000])
  for (const text of ['', '1', 'h', '0s', '-1h', '1.5h', '1 h', '1w', '1H', '3651d', '9999999999s', '1h30m']) t.equal(parseDuration(text), undefined, text)
})
