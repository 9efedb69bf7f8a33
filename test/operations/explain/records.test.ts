import t from 'tap'
import { createKnownAccounts } from '../../../src/operations/explain/records.ts'
import { build } from '../../helper.ts'

t.test('an account is known by its id and by its e-mail address', async (t) => {
  const { app } = await build(t)
  const { id } = (await app.inject({ method: 'POST', url: '/api/auth/register', payload: { email: 'ada@example.com', password: 'correct horse battery' } })).json().user
  const accounts = createKnownAccounts(app.database.client)
  t.strictSame([await accounts.has(id), await accounts.has('ada@example.com')], [true, false])
  t.strictSame([await accounts.byEmail('ada@example.com'), await accounts.byEmail('eve@example.com')], [id, undefined])
})
