import t from 'tap'
import type { UserId } from '../../src/callers/caller.ts'
import type { Account, AccountRecords } from '../../src/accounts/records.ts'
import { createAccounts, createStanding } from '../../src/accounts/service.ts'
import { createThrottle } from '../../src/accounts/throttle.ts'

const at = new Date(1_800_000_000_000)
const ada: Account = { id: 'ada', email: 'ada@x.org', displayName: 'Ada', passwordHash: 'h', tokenGeneration: 2, createdAt: at, updatedAt: at }

const records: AccountRecords = {
  tokens: async (id) => id === ada.id ? ada : null,
  basisOf: (row) => row === ada ? () => false : undefined,
  byId: async (id) => id === ada.id ? ada : null,
  byEmail: async () => ada,
  add: async (row) => row,
  change: async () => null,
  changePassword: async () => false,
  endTokens: async () => false,
}

const accounts = createAccounts({
  records,
  passwords: { hash: async () => 'h', matches: async () => true },
  throttle: createThrottle(),
  mint: async (subject, { seconds, generation }) => `${subject} ${seconds} ${generation}`,
  tokenSeconds: 60,
  avatarUrlOf: async () => null,
  now: () => at,
})

t.test('a token of an account is good for the generation it was made in', async (t) => {
  const standingOf = createStanding(records)
  const good = await standingOf({ accountGeneration: 2 }, 'ada' as UserId)
  t.equal(good.isRevoked, false)
  t.equal(good.basis?.(), false, 'it rests on the row')
  for (const accountGeneration of [1, 3, '2', null, [2]]) t.match(await standingOf({ accountGeneration }, 'ada' as UserId), { isRevoked: true }, JSON.stringify(accountGeneration))
  t.strictSame(await standingOf({ accountGeneration: 2 }, 'gone' as UserId), { isRevoked: true, basis: undefined })
  const ofNone = await standingOf({}, 'gone' as UserId)
  t.equal(ofNone.isRevoked, false, 'a token that is of no account')
  t.equal(ofNone.basis?.(), true, 'which nobody can call back')
})

t.test('a token is made for the generation of the account', async (t) => {
  t.equal((await accounts.logIn({ email: 'ada@x.org', password: 'x' }, '::1')).token, 'ada 60 2')
})

t.test('an account whose tokens end during a change of password gets no new token', async (t) => {
  await t.rejects(accounts.changePassword('ada', { currentPassword: 'x', newPassword: 'y' }, '::1'), { code: 'TOKEN_INVALID' })
})

t.test('an account that goes during a change of profile is not found', async (t) => {
  await t.rejects(accounts.changeProfile('ada', { displayName: 'x' }, '::1'), { code: 'ACCOUNT_NOT_FOUND' })
  await t.rejects(accounts.logOut('ada'), { code: 'ACCOUNT_NOT_FOUND' })
})
