// Who makes a request and what they may do. Knows nothing of tokens or HTTP.
import { OwnerForbidden, RequestInvalid } from '../errors.ts'
import { isUserId } from '../user-id.ts'

export type UserId = string & { readonly brand: 'UserId' }

export type Scope = 'uploads:service' | 'uploads:admin'

export type Caller = { readonly id: UserId, readonly scopes: ReadonlySet<Scope> }

export function asUserId (text: unknown): UserId | undefined {
  return typeof text === 'string' && isUserId(text) ? text as UserId : undefined
}

/** Services and admins act for any user. */
export function actsForOthers (caller: Caller): boolean {
  return caller.scopes.has('uploads:service') || caller.scopes.has('uploads:admin')
}

/**
 * Whose upload it becomes when `caller` names `owner`, or names nobody.
 * @throws OwnerForbidden when a plain user names another; RequestInvalid when the name can be no user's.
 */
export function ownerNamed (caller: Caller, owner: string | undefined): UserId {
  if (owner === undefined || owner === caller.id) return caller.id
  if (!actsForOthers(caller)) throw new OwnerForbidden()
  const id = asUserId(owner)
  if (id === undefined) throw new RequestInvalid('the owner must be 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me"')
  return id
}
