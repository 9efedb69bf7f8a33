import t from 'tap'
import { actsForOthers, asUserId, ownerNamed, type Scope, type UserId } from '../../src/callers/caller.ts'

const caller = (...scopes: Scope[]) => ({ id: 'ada' as UserId, scopes: new Set(scopes) })

t.test('a user id is short and can stand in a path', async (t) => {
  for (const id of ['a', '42', 'auth0:x', 'ada@example.com', '...', 'me2', 'ME', 'a'.repeat(128)]) t.equal(asUserId(id), id)
  for (const id of ['', 'me', '.', '..', 'a/b', 'a b', 'a%2fb', 'ä', 'a\n', 'a'.repeat(129), 7, null, undefined]) t.equal(asUserId(id), undefined, JSON.stringify(id))
})

t.test('a plain user acts for nobody else', async (t) => {
  t.equal(actsForOthers(caller()), false)
  t.equal(ownerNamed(caller(), undefined), 'ada')
  t.equal(ownerNamed(caller(), 'ada'), 'ada')
  t.throws(() => ownerNamed(caller(), 'grace'), { code: 'OWNER_FORBIDDEN', statusCode: 403 })
})

t.test('services and admins act for whom they name, if it can be a user', async (t) => {
  for (const scope of ['uploads:service', 'uploads:admin'] as const) {
    t.equal(actsForOthers(caller(scope)), true)
    t.equal(ownerNamed(caller(scope), 'grace'), 'grace')
    t.equal(ownerNamed(caller(scope), undefined), 'ada')
    t.throws(() => ownerNamed(caller(scope), 'me'), { code: 'REQUEST_INVALID' })
  }
})
