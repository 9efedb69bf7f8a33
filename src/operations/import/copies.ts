// Copies: files that an import kept for the owner of what is nobody's, before it was known whose they are. What becomes of them is not done here.
import type { Known, Present } from '../../records/imports.ts'
import type { Candidate } from './candidate.ts'

type Claim = Pick<Candidate, 'kind' | 'ownerId' | 'isOwnerless'> & { readonly sha256: string }

/** Kept for whom --owner named, who is on record as its creator as well: of what has an owner, no creator is known. */
export const isOwnerless = ({ kind, source, ownerId, creatorId }: Known): boolean => kind === 'attachment' && source !== null && ownerId !== null && creatorId === ownerId

/** The very bytes that are somebody else's. */
export const isCopy = ({ ownerId, sha256, isOwnerless: isNobodys }: Claim, known: Known): boolean =>
  !isNobodys && isOwnerless(known) && known.state === 'live' && known.ownerId !== ownerId && known.sourceSha256 === sha256

/** Those behind the old paths of a picture, or of any file whose owner was erased. */
export const copiesOf = (claim: Claim, { takers, isErased }: Pick<Present, 'takers' | 'isErased'>): Map<string, Known> =>
  new Map([...takers].filter(([, taker]) => (claim.kind === 'avatar' || isErased) && isCopy(claim, taker)))
