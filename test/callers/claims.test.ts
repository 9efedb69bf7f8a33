import t from 'tap'
import { callerFrom } from '../../src/callers/claims.ts'

t.test('the user id is the configured claim, else userId, else id', async (t) => {
  t.equal(callerFrom({ sub: 'ada', userId: 'b', id: 'c' }, 'sub')?.id, 'ada')
  t.equal(callerFrom({ userId: 'b', id: 'c' }, 'sub')?.id, 'b')
  t.equal(callerFrom({ sub: null, id: 'c' }, 'sub')?.id, 'c')
  t.equal(callerFrom({ sub: 'ada', uid: 'grace' }, 'uid')?.id, 'grace')
  t.equal(callerFrom({ sub: 'ada' }, 'uid'), undefined, 'sub is no fallback for another claim')
})

t.test('numbers of older systems are user ids when they are exact', async (t) => {
  t.equal(callerFrom({ userId: 42 }, 'sub')?.id, '42')
  for (const id of [1.5, 2 ** 53, NaN, Infinity]) t.equal(callerFrom({ id }, 'sub'), undefined, String(id))
})

t.test('a claim that can be no user id is not passed over for the next', async (t) => {
  for (const sub of ['me', '', 'a b', '../x', '.', 'a'.repeat(129), true, {}, ['ada'], 'ada\n']) {
    t.equal(callerFrom({ sub, id: 'fallback' }, 'sub'), undefined, JSON.stringify(sub))
  }
  t.equal(callerFrom({}, 'constructor'), undefined, 'what every object inherits is no claim')
})

t.test('scopes come from the scope text and the scopes list, and only those known here count', async (t) => {
  const scopes = (claims: object) => [...callerFrom({ sub: 'ada', ...claims }, 'sub')?.scopes ?? []]
  t.same(scopes({}), [])
  t.same(scopes({ scope: 'openid uploads:service' }), ['uploads:service'])
  t.same(scopes({ scopes: ['uploads:admin', 7] }), ['uploads:admin'])
  t.same(scopes({ scope: 'uploads:service', scopes: ['uploads:admin'] }), ['uploads:service', 'uploads:admin'])
  t.same(scopes({ scope: ['uploads:admin'] }), [], 'a list in scope')
  t.same(scopes({ scopes: 'uploads:admin' }), [], 'a text in scopes')
  t.same(scopes({ scope: 'uploads:admin,uploads:service xuploads:admin UPLOADS:ADMIN' }), [])
})
