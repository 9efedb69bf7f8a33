import { join } from 'node:path'
import Fastify, { type InjectOptions } from 'fastify'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { createAccountRecords } from '../../src/accounts/records.ts'
import { accountRoutes, type AccountRoutesOptions } from '../../src/accounts/routes.ts'
import { createStanding } from '../../src/accounts/service.ts'
import { createThrottle } from '../../src/accounts/throttle.ts'
import type { UserId } from '../../src/callers/caller.ts'
import { openKeys } from '../../src/callers/keys.ts'
import { secretFiles } from '../../src/storage/secret-files.ts'
import { createMint } from '../../src/callers/mint.ts'
import { auth } from '../../src/plugins/auth.ts'
import { problems } from '../../src/plugins/problems.ts'
import { openDatabase } from '../../src/records/database.ts'
import { databaseAddressFor } from '../fixtures/database-server.ts'

const tokenConfig = { jwtIssuer: '', jwtAudience: '', jwtUserClaim: 'sub' }
const keys = await openKeys({ keys: { mode: 'secret', secrets: ['s'.repeat(32)] } }, secretFiles(''))
const mint = createMint('s'.repeat(32), tokenConfig)

async function build (t: Test, options: Partial<AccountRoutesOptions> = {}) {
  const database = await openDatabase({ address: await databaseAddressFor(t, join(t.testdir(), 'gateway.sqlite')), requireMount: false, connections: 4 })
  const records = createAccountRecords(database.client)
  const app = Fastify()
  t.teardown(async () => { await app.close(); await database.close() })
  await app.register(problems)
  await app.register(auth, { config: tokenConfig, keys, standingOf: createStanding(records) })
  const avatars = new Map<string, string>()
  await app.register(accountRoutes, {
    prefix: '/api/auth',
    config: { hasAccounts: true, accountTokenSeconds: 3600 },
    records,
    mint,
    avatarUrlOf: async (id) => avatars.get(id) ?? null,
    ...options,
  })
  async function call (method: 'GET' | 'POST' | 'PUT', path: string, payload?: object, token?: string, more: InjectOptions = {}) {
    const response = await app.inject({ method, url: `/api/auth${path}`, ...(payload !== undefined && { payload }), headers: token === undefined ? {} : { authorization: `Bearer ${token}` }, ...more })
    return { status: response.statusCode, headers: response.headers, text: response.body, body: response.body === '' ? undefined : response.json() }
  }
  const signUp = async (email: string, password = 'correct horse') => {
    const { body } = await call('POST', '/register', { email, password })
    return { token: String(body.token), id: String(body.user.id) }
  }
  return { call, signUp, records, avatars, database }
}

const ada = { email: 'ada@example.com', password: 'correct horse' }

t.test('who registers gets a token and a user, and is logged in by it', async (t) => {
  const { call, avatars } = await build(t)
  const { status, headers, body } = await call('POST', '/register', { ...ada, displayName: ' Ada  Lovelace\u202e ' })
  t.equal(status, 201)
  t.equal(headers['cache-control'], 'no-store')
  t.same(Object.keys(body), ['token', 'user'])
  t.same(body.user, { id: body.user.id, email: 'ada@example.com', displayName: 'Ada Lovelace', avatarUrl: null })
  t.match(body.user.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4/)
  const { exp = 0, iat = 0 } = decodeJwt(body.token)
  t.equal(exp - iat, 3600)
  avatars.set(body.user.id, `/api/auth/avatar/${body.user.id}`)
  t.match(await call('GET', '/profile', undefined, body.token), { status: 200, body: { user: { ...body.user, avatarUrl: `/api/auth/avatar/${body.user.id}` } } })
})

t.test('the name of who gave none is the part before the @', async (t) => {
  const { call } = await build(t)
  t.equal((await call('POST', '/register', ada)).body.user.displayName, 'ada')
  t.equal((await call('POST', '/register', { ...ada, email: 'b@x.org', displayName: '\u200b' })).body.user.displayName, 'b')
})

t.test('an account is found whatever the spelling of its address', async (t) => {
  const { call } = await build(t)
  await call('POST', '/register', { ...ada, email: '  ADA@Example.com ' })
  t.match(await call('POST', '/login', { ...ada, email: 'Ada@EXAMPLE.com' }), { status: 200, body: { user: { email: 'ada@example.com' } } })
  t.match(await call('POST', '/register', ada), { status: 409, body: { code: 'EMAIL_TAKEN' } })
})

t.test('of those who register one address at once, one succeeds', async (t) => {
  const { call, database } = await build(t)
  const answers = await Promise.all(Array.from({ length: 4 }, () => call('POST', '/register', ada)))
  t.same(answers.map(({ status }) => status).sort(), [201, 409, 409, 409])
  t.equal(await database.client.account.count(), 1)
})

t.test('what is no address or no password is refused', async (t) => {
  const { call, database } = await build(t)
  const wrong = [
    {}, { email: ada.email }, { password: ada.password },
    ...['', 'ada', 'ada@', '@x.org', 'a b@x.org', 'ada@x..org', `${'a'.repeat(250)}@x.org`, 'ada@x.org\0', 'ada@x.org, b@x.org'].map((email) => ({ ...ada, email })),
    ...['', 'short12', 'x'.repeat(257)].map((password) => ({ ...ada, password })),
    { ...ada, email: { $ne: '' } }, { ...ada, password: { length: 9 } }, { ...ada, displayName: 'x'.repeat(101) },
  ]
  for (const payload of wrong) t.match(await call('POST', '/register', payload), { status: 400, body: { code: 'REQUEST_INVALID' } }, JSON.stringify(payload))
  t.match(await call('POST', '/register', { ...ada, more: 'x'.repeat(20_000) }), { status: 413, body: { code: 'BODY_TOO_LARGE' } })
  t.equal(await database.client.account.count(), 0)
})

t.test('an unknown address and a wrong password get the same answer', async (t) => {
  const { call, signUp } = await build(t)
  await signUp(ada.email)
  const wrong = await call('POST', '/login', { ...ada, password: 'wrong horse' })
  const unknown = await call('POST', '/login', { ...ada, email: 'nobody@example.com' })
  t.match(wrong, { status: 401, body: { code: 'CREDENTIALS_INVALID' }, headers: { 'www-authenticate': /^Bearer/ } })
  const essence = ({ status, body, headers }: typeof wrong) => ({ status, ...body, requestId: '', headers: { ...headers, date: '', 'x-request-id': '' } })
  t.same(essence(unknown), essence(wrong))
})

t.test('no answer carries the hash of a password', async (t) => {
  const { call, signUp, records } = await build(t)
  const { token, id } = await signUp(ada.email)
  t.match((await records.byId(id))?.passwordHash, /^\$argon2id/)
  const answers = [
    await call('POST', '/login', ada), await call('GET', '/profile', undefined, token), await call('PUT', '/profile', { displayName: 'x' }, token),
    await call('POST', '/register', ada), await call('POST', '/password', { currentPassword: ada.password, newPassword: 'another horse' }, token),
  ]
  for (const { text } of answers) t.notMatch(text, /argon2|passwordHash|tokenGeneration|horse/)
})

t.test('a change of password ends all other tokens and answers with a new one', async (t) => {
  const { call, signUp } = await build(t)
  const { token } = await signUp(ada.email)
  const { body: elsewhere } = await call('POST', '/login', ada)
  const { status, body } = await call('POST', '/password', { currentPassword: ada.password, newPassword: 'another horse' }, token)
  t.equal(status, 200)
  t.match(body.user, { email: ada.email })
  for (const old of [token, elsewhere.token]) t.match(await call('GET', '/profile', undefined, old), { status: 401, body: { code: 'TOKEN_INVALID' } })
  t.match(await call('GET', '/profile', undefined, body.token), { status: 200 })
  t.match(await call('POST', '/login', ada), { status: 401 })
  t.match(await call('POST', '/login', { ...ada, password: 'another horse' }), { status: 200 })
})

t.test('a password changes only for who knows it', async (t) => {
  const { call, signUp } = await build(t)
  const { token } = await signUp(ada.email)
  t.match(await call('POST', '/password', { currentPassword: 'wrong horse', newPassword: 'another horse' }, token), { status: 403, body: { code: 'PASSWORD_WRONG' } })
  t.match(await call('POST', '/password', { currentPassword: ada.password, newPassword: 'short' }, token), { status: 400 })
  t.match(await call('POST', '/password', { currentPassword: ada.password, newPassword: 'another horse' }), { status: 401, body: { code: 'TOKEN_MISSING' } })
  t.match(await call('GET', '/profile', undefined, token), { status: 200 }, 'the token goes on')
  t.match(await call('POST', '/login', ada), { status: 200 })
})

t.test('of two changes of a password at once one counts, and the other is refused', async (t) => {
  const { call, signUp } = await build(t)
  const { token } = await signUp(ada.email)
  const answers = await Promise.all(['first horse', 'second horse'].map((newPassword) => call('POST', '/password', { currentPassword: ada.password, newPassword }, token)))
  const [first, second] = answers.map(({ status }) => status).sort()
  t.equal(first, 200)
  // Its token, or the old password, is no longer the one of the account: whichever it finds first.
  t.ok(second === 401 || second === 403, `it is told ${second}`)
})

t.test('a log-out ends every token of the account and of no other', async (t) => {
  const { call, signUp } = await build(t)
  const { token } = await signUp(ada.email)
  const { token: other } = await signUp('grace@example.com')
  const { body: elsewhere } = await call('POST', '/login', ada)
  const { status, text } = await call('POST', '/logout', undefined, token)
  t.match({ status, text }, { status: 204, text: '' })
  for (const old of [token, elsewhere.token]) t.match(await call('POST', '/logout', undefined, old), { status: 401 })
  t.match(await call('GET', '/profile', undefined, other), { status: 200 })
  const { body } = await call('POST', '/login', ada)
  t.match(await call('GET', '/profile', undefined, body.token), { status: 200 }, 'logging in again works')
})

t.test('the token of an account that is gone is not valid', async (t) => {
  const { call, signUp, database } = await build(t)
  const { token } = await signUp(ada.email)
  await database.client.account.deleteMany()
  t.match(await call('GET', '/profile', undefined, token), { status: 401, body: { code: 'TOKEN_INVALID' } })
})

t.test('a profile changes name and address; its avatarUrl does not change here', async (t) => {
  const { call, signUp } = await build(t)
  const { token, id } = await signUp(ada.email)
  const change = (payload: object) => call('PUT', '/profile', payload, token)
  t.same((await change({ displayName: 'Countess', avatarUrl: '/evil', id: 'x', passwordHash: 'x', tokenGeneration: 9 })).body,
    { user: { id, email: ada.email, displayName: 'Countess', avatarUrl: null } })
  t.match(await change({ email: ' New@Example.com' }), { status: 200, body: { user: { email: 'new@example.com', displayName: 'Countess' } } })
  t.match(await change({ displayName: '  ' }), { status: 200, body: { user: { displayName: 'new' } } })
  t.match(await change({}), { status: 200, body: { user: { displayName: 'new' } } })
  t.match(await change({ email: 'nonsense' }), { status: 400 })
  t.match(await call('POST', '/login', { ...ada, email: 'new@example.com' }), { status: 200 })
  t.match(await call('GET', '/profile', undefined, token), { status: 200 }, 'the token goes on')
})

t.test('an address of somebody else cannot be taken', async (t) => {
  const { call, signUp } = await build(t)
  await signUp('grace@example.com')
  const { token } = await signUp(ada.email)
  t.match(await call('PUT', '/profile', { email: 'GRACE@example.com' }, token), { status: 409, body: { code: 'EMAIL_TAKEN' } })
  t.match(await call('PUT', '/profile', { email: ada.email }, token), { status: 200 }, 'one\'s own can be sent')
})

t.test('a password sent with a profile is checked', async (t) => {
  const { call, signUp } = await build(t)
  const { token } = await signUp(ada.email)
  t.match(await call('PUT', '/profile', { email: 'b@x.org', currentPassword: 'wrong horse' }, token), { status: 403, body: { code: 'PASSWORD_WRONG' } })
  t.match(await call('PUT', '/profile', { email: 'b@x.org', currentPassword: ada.password }, token), { status: 200, body: { user: { email: 'b@x.org' } } })
  t.match(await call('PUT', '/profile', { displayName: 'B', currentPassword: '' }, token), { status: 200 }, 'an empty field was not filled in')
})

t.test('a token made for a service has a profile of what it says, and no account to change', async (t) => {
  const { call, avatars } = await build(t)
  const token = await mint('billing' as UserId, { seconds: 60, scopes: ['uploads:service'] })
  avatars.set('billing', '/api/auth/avatar/billing')
  const profile = { user: { id: 'billing', avatarUrl: '/api/auth/avatar/billing' } }
  t.same((await call('GET', '/profile', undefined, token)).body, profile)
  t.same((await call('PUT', '/profile', { displayName: 'x' }, token)).body, profile)
  t.match(await call('POST', '/password', { currentPassword: 'x', newPassword: 'another horse' }, token), { status: 404, body: { code: 'ACCOUNT_NOT_FOUND' } })
  t.match(await call('POST', '/logout', undefined, token), { status: 404, body: { code: 'ACCOUNT_NOT_FOUND' } })
})

t.test('guessing passwords is stopped, for the account and its guesser alone', async (t) => {
  const { call, signUp } = await build(t, { throttle: createThrottle({ perAccount: { points: 3, duration: 900 } }) })
  const { token } = await signUp(ada.email)
  await signUp('grace@example.com')
  const guess = { ...ada, password: 'wrong horse' }
  const guesses = await Promise.all(Array.from({ length: 5 }, () => call('POST', '/login', guess)))
  t.same(guesses.map(({ status }) => status).sort(), [401, 401, 401, 429, 429])
  const refused = await call('POST', '/login', ada)
  t.match(refused, { status: 429, body: { code: 'ATTEMPTS_EXCEEDED' } }, 'the right password is not even looked at')
  t.ok(Number(refused.headers['retry-after']) > 800)
  t.match(await call('POST', '/password', { currentPassword: 'x', newPassword: 'another horse' }, token), { status: 429 }, 'nor by another way')
  t.match(await call('POST', '/login', { ...ada, email: 'grace@example.com' }), { status: 200 })
  t.match(await call('POST', '/login', ada, undefined, { remoteAddress: '10.0.0.9' }), { status: 200 })
})

t.test('sign-ups, and asking whether an address is taken, are counted', async (t) => {
  const { call, signUp } = await build(t, { throttle: createThrottle({ registrations: { points: 2, duration: 60 } }) })
  const { token } = await signUp(ada.email)
  t.match(await call('PUT', '/profile', { email: 'b@x.org' }, token), { status: 200 })
  t.match(await call('PUT', '/profile', { email: 'c@x.org' }, token), { status: 429 })
  t.match(await call('POST', '/register', { ...ada, email: 'd@x.org' }), { status: 429, body: { code: 'ATTEMPTS_EXCEEDED' } })
  t.match(await call('PUT', '/profile', { displayName: 'B' }, token), { status: 200 })
})

t.test('with accounts off there is nothing to log in to, and the profile is what the token says', async (t) => {
  const { call, avatars } = await build(t, { config: { hasAccounts: false, accountTokenSeconds: 3600 }, mint: undefined })
  for (const path of ['/register', '/login', '/password', '/logout']) {
    t.match(await call('POST', path, ada), { status: 404, body: { code: 'ACCOUNTS_OFF' } }, path)
    t.match(await call('POST', path), { status: 404, body: { code: 'ACCOUNTS_OFF' } }, `${path} without a body`)
  }
  t.match(await call('GET', '/profile'), { status: 401, body: { code: 'TOKEN_MISSING' } })
  const token = await mint('ada' as UserId, { seconds: 60 })
  t.same((await call('GET', '/profile', undefined, token)).body, { user: { id: 'ada', avatarUrl: null } })
  avatars.set('ada', '/api/auth/avatar/ada')
  t.same((await call('PUT', '/profile', { displayName: 'x' }, token)).body, { user: { id: 'ada', avatarUrl: '/api/auth/avatar/ada' } })
})
