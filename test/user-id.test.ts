import { test } from 'tap'
import { isUserId } from '../src/user-id.ts'

test('a user id is what tokens and addresses can carry', (t) => {
  for (const id of ['ada', 'A.b_c:d@e-f', '7', 'x'.repeat(128)]) t.ok(isUserId(id), id)
  for (const id of ['', 'me', '.', '..', 'a b', 'a/b', 'a\0', 'a\n', 'x'.repeat(129)]) t.notOk(isUserId(id), JSON.stringify(id))
  t.end()
})
