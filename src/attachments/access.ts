// Who may see and change an attachment. Everyone else is told what they would be told of one that does not exist.
import { actsForOthers, type Caller } from '../callers/caller.ts'

type Owned = { readonly ownerId: string, readonly visibility: string }

/** The owner, services, and anyone when it is public. */
export function mayRead (caller: Caller | null, attachment: Owned): boolean {
  return attachment.visibility === 'public' || mayChange(caller, attachment)
}

/** The owner and services. */
export function mayChange (caller: Caller | null, { ownerId }: Owned): boolean {
  return caller !== null && (caller.id === ownerId || actsForOthers(caller))
}
