// The rules of embedded accounts: who may log in, what ends a token, what a user may change.
import { randomUUID } from 'node:crypto'
import { always } from '../basis.ts'
import type { UserId } from '../callers/caller.ts'
import { credentialsInvalid, tokenInvalid } from '../callers/challenge.ts'
import { generationClaim, type StandingOf } from '../callers/claims.ts'
import type { Mint } from '../callers/mint.ts'
import { AccountNotFound, PasswordWrong } from '../errors.ts'
import { cleanDisplayName, nameFromEmail } from './names.ts'
import type { Passwords } from './password.ts'
import type { Account, AccountRecords } from './records.ts'
import type { Credentials, PasswordChange, Profile, ProfileChange, Registration, Session } from './schema.ts'
import type { Throttle } from './throttle.ts'

export type AccountsDependencies = {
  readonly records: AccountRecords
  readonly passwords: Passwords
  readonly throttle: Throttle
  readonly mint: Mint
  /** How long a log-in lasts. */
  readonly tokenSeconds: number
  /** The path of a user's avatar, or null. */
  readonly avatarUrlOf: (id: string) => Promise<string | null>
  readonly now?: () => Date
}

export type Accounts = ReturnType<typeof createAccounts>

/** Addresses of e-mail come in the spelling of normalEmail; `ip` is where the request came from. */
export function createAccounts ({ records, passwords, throttle, mint, tokenSeconds, avatarUrlOf, now = () => new Date() }: AccountsDependencies) {
  async function sessionOf (account: Account): Promise<Session> {
    // The cast: an account's id is a UUID of this service.
    const token = await mint(account.id as UserId, { seconds: tokenSeconds, generation: account.tokenGeneration })
    return { token, user: await present(account, avatarUrlOf) }
  }

  async function checkPassword (account: Account | null, email: string, password: string, ip: string, refusal: () => Error): Promise<Account> {
    await throttle.attempt(ip, email)
    const matches = await passwords.matches(password, account?.passwordHash)
    if (account === null || !matches) throw refusal()
    await throttle.succeed(ip, email)
    return account
  }

  /** Not with a 401, on which clients would forget a token that is good. */
  const confirmPassword = (account: Account, password: string, ip: string) => checkPassword(account, account.email, password, ip, () => new PasswordWrong())

  async function existing (id: string): Promise<Account> {
    const account = await records.byId(id)
    if (account === null) throw new AccountNotFound()
    return account
  }

  return {
    /** @throws EmailTaken, AttemptsExceeded, ServiceOverloaded */
    async register ({ email, password, displayName = '' }: Registration, ip: string): Promise<Session> {
      await throttle.registration(ip)
      const passwordHash = await passwords.hash(password)
      const at = now()
      return await sessionOf(await records.add({
        id: randomUUID(),
        email,
        displayName: cleanDisplayName(displayName) ?? nameFromEmail(email),
        passwordHash,
        tokenGeneration: 0,
        createdAt: at,
        updatedAt: at,
      }))
    },

    /** @throws CredentialsInvalid, the same and as late for an unknown address; AttemptsExceeded, ServiceOverloaded */
    async logIn ({ email, password }: Credentials, ip: string): Promise<Session> {
      return await sessionOf(await checkPassword(await records.byEmail(email), email, password, ip, credentialsInvalid))
    },

    /** Ends all other tokens of the account. @throws PasswordWrong, AccountNotFound, AttemptsExceeded, ServiceOverloaded */
    async changePassword (id: string, { currentPassword, newPassword }: PasswordChange, ip: string): Promise<Session> {
      const found = await existing(id)
      const { tokenGeneration } = await confirmPassword(found, currentPassword, ip)
      const passwordHash = await passwords.hash(newPassword)
      // Not taken when the tokens were ended meanwhile: the token of this request is one of them.
      if (!await records.changePassword(id, tokenGeneration, passwordHash, now())) throw tokenInvalid()
      return await sessionOf({ ...found, passwordHash, tokenGeneration: tokenGeneration + 1 })
    },

    /** Ends all tokens of the account. @throws AccountNotFound */
    async logOut (id: string): Promise<void> {
      if (!await records.endTokens(id, now())) throw new AccountNotFound()
    },

    profile: createProfile({ records, avatarUrlOf }),

    /**
     * A new address needs no password, as clients of the older system send none: nothing here is recovered by e-mail,
     * so a stolen token gains no password by it.
     * @throws EmailTaken, AttemptsExceeded; PasswordWrong when a password was sent and is wrong
     */
    async changeProfile (id: string, { email, displayName, currentPassword }: ProfileChange, ip: string): Promise<Profile> {
      const account = await records.byId(id)
      if (account === null) return { user: { id, avatarUrl: await avatarUrlOf(id) } }
      if (currentPassword !== undefined && currentPassword !== '') await confirmPassword(account, currentPassword, ip)
      const isMoving = email !== undefined && email !== account.email
      if (isMoving) await throttle.registration(ip)
      const name = displayName === undefined ? undefined : cleanDisplayName(displayName) ?? nameFromEmail(email ?? account.email)
      const changed = await records.change(id, { ...(isMoving && { email }), ...(name !== undefined && { displayName: name }), updatedAt: now() })
      if (changed === null) throw new AccountNotFound()
      return { user: await present(changed, avatarUrlOf) }
    },
  }
}

type ProfileDependencies = Pick<AccountsDependencies, 'avatarUrlOf'> & { readonly records: Pick<AccountRecords, 'byId'> }

/** Who a user is; of one without an account here, only what a token says. */
export function createProfile ({ records, avatarUrlOf }: ProfileDependencies) {
  return async (id: string): Promise<Profile> => {
    const account = await records.byId(id)
    return { user: account === null ? { id, avatarUrl: await avatarUrlOf(id) } : await present(account, avatarUrlOf) }
  }
}

async function present ({ id, email, displayName }: Account, avatarUrlOf: AccountsDependencies['avatarUrlOf']) {
  return { id, email, displayName, avatarUrl: await avatarUrlOf(id) }
}

/** For plugins/auth: a token of an account ends with a log-out, a change of password, or the account. */
export function createStanding ({ tokens, basisOf }: Pick<AccountRecords, 'tokens' | 'basisOf'>): StandingOf {
  return async (claims, id) => {
    const generation = claims[generationClaim]
    if (generation === undefined) return { isRevoked: false, basis: always }
    const current = await tokens(id)
    return { isRevoked: current?.tokenGeneration !== generation, basis: current === null ? undefined : basisOf(current) }
  }
}
