// What a verified token says, turned into a Caller. Verifying it is not done here.
import { always, type Basis } from '../basis.ts'
import { asUserId, type Caller, type Scope, type UserId } from './caller.ts'

export type Claims = { readonly [name: string]: unknown }

export const allScopes: readonly Scope[] = ['uploads:service', 'uploads:admin']

/** In tokens of embedded accounts only: the tokenGeneration that the account had when the token was made. */
export const generationClaim = 'accountGeneration'

/** Whether a token that is valid by itself has been called back; and what that it has not rests on, where that can be told. */
export type StandingOf = (claims: Claims, id: UserId) => Promise<{ readonly isRevoked: boolean, readonly basis: Basis | undefined }>

/** Where nobody calls tokens back. */
export const standing: StandingOf = async () => ({ isRevoked: false, basis: always })

/** Undefined when the claims name no user this service could have. */
export function callerFrom (claims: Claims, userClaim: string): Caller | undefined {
  const named = [userClaim, 'userId', 'id'].map((name) => claims[name]).find((value) => value !== undefined && value !== null)
  // Older systems number their users.
  const id = asUserId(Number.isSafeInteger(named) ? String(named) : named)
  return id === undefined ? undefined : { id, scopes: scopesOf(claims) }
}

function scopesOf ({ scope, scopes }: Claims): ReadonlySet<Scope> {
  const named: unknown[] = [...(typeof scope === 'string' ? scope.split(' ') : []), ...(Array.isArray(scopes) ? scopes : [])]
  return new Set(allScopes.filter((known) => named.includes(known)))
}
