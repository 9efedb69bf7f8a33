// Who may see and change an attachment. Everyone else is told what they would be told of one that does not exist.
import { actsForOthers, type Caller } from '../callers/caller.ts'
import { idsIn } from '../records/sidecars.ts'

type Owned = { readonly ownerId: string, readonly visibility: string, readonly readers: string | null }

/** The owner, its readers, services, and anyone when it is public. */
export function mayRead (caller: Caller | null, attachment: Owned): boolean {
  return attachment.visibility === 'public' || mayChange(caller, attachment) || isReader(caller, attachment)
}

const isReader = (caller: Caller | null, { readers }: Owned): boolean => caller !== null && idsIn(readers).includes(caller.id)

/** The owner and services. */
export function mayChange (caller: Caller | null, { ownerId }: Pick<Owned, 'ownerId'>): boolean {
  return caller !== null && (caller.id === ownerId || actsForOthers(caller))
}
