// What becomes of a candidate, from what is here already: the rules of an import, and nothing else.
import type { Known, Present } from '../../records/imports.ts'
import { timeOf, type BlobId } from '../../storage/ids.ts'
import type { Candidate } from './candidate.ts'
import { copiesOf, isCopy } from './copies.ts'

export type KeptCode = 'erased' | 'deleted-for-good' | 'deleted' | 'own-picture'

export type Place = {
  readonly outcome: 'imported' | 'changed'
  readonly state: 'live' | 'superseded'
  readonly paths: readonly string[]
  readonly movedPaths: readonly string[]
  readonly replaces: Known | undefined
  readonly current: BlobId | undefined
  readonly ownerCommits: number | undefined
  readonly notes: readonly string[]
}

export type Decision =
  | Place
  | { readonly outcome: 'there', readonly code: 'there' | 'there-deleted', readonly reason: string, readonly notes: readonly string[] }
  | { readonly outcome: 'kept', readonly code: KeptCode, readonly reason: string, readonly notes: readonly string[] }
  | { readonly outcome: 'refused', readonly code: 'path-taken' | 'owner-differs', readonly reason: string, readonly notes: readonly string[] }

type Facts = Pick<Candidate, 'kind' | 'source' | 'ownerId' | 'isOwnerless' | 'paths' | 'createdAt' | 'isDated' | 'visibility'> & { readonly sha256: string }

export function decide (candidate: Facts, present: Present): Decision {
  const decision = ofAnother(candidate, present) ?? asBefore(candidate, present) ?? removedHere(candidate, present) ?? pathsGone(candidate, present) ?? besideOwn(candidate, present) ?? place(candidate, present)
  return decision.outcome === 'refused' ? decision : { ...decision, notes: [...decision.notes, ...leaving(copiesOf(candidate, present))] }
}

const leaving = (copies: ReadonlyMap<string, Known>): string[] =>
  [...copies].map(([path, { id, ownerId }]) => `${JSON.stringify(path)} was kept as ${id} of ${JSON.stringify(ownerId)}, which goes to the trash`)

export const isGone = ({ state }: Known): boolean => state === 'deleted' || state === 'purging'

/** Whatever came in now would be that of whoever has it here, and not of whom the older system names. */
function ofAnother (candidate: Facts, { latest, isErased }: Present): Decision | undefined {
  if (latest === undefined || isGone(latest) || latest.ownerId === candidate.ownerId) return undefined
  return isErased && isCopy(candidate, latest) ? erasedHere : ownerDiffers(candidate, latest)
}

function ownerDiffers ({ ownerId }: Facts, { id, ownerId: holder }: Known): Decision {
  const wanted = JSON.stringify(ownerId)
  return { outcome: 'refused', code: 'owner-differs', reason: `it is here as ${id} of ${JSON.stringify(holder)}, and not of ${wanted}: correct the index or --owner, or delete it here and upload it for ${wanted}`, notes: [] }
}

function asBefore ({ sha256, visibility }: Facts, { latest }: Present): Decision | undefined {
  if (latest?.sourceSha256 !== sha256) return undefined
  return isGone(latest)
    ? { outcome: 'there', code: 'there-deleted', reason: 'it was imported before and has been deleted here since', notes: [] }
    : { outcome: 'there', code: 'there', reason: 'it was imported before', notes: otherVisibility(visibility, latest) }
}

/** Who may read it was decided here, by the import before or by somebody since. */
const otherVisibility = (wanted: Facts['visibility'], { visibility }: Known): string[] => wanted === null || visibility === wanted
  ? []
  : [`it stays ${visibility}, as it is here, and is not made ${wanted}: that is done with PATCH /api/attachments/:id`]

const kept = (code: KeptCode, reason: string): Decision => ({ outcome: 'kept', code, reason, notes: [] })

const erasedHere = kept('erased', 'the owner was erased here')

/** An import revives nothing that somebody removed here. */
function removedHere ({ kind }: Pick<Candidate, 'kind'>, { latest, isEntombed, isErased, removedAvatar, avatars }: Present): Decision | undefined {
  if (isErased) return erasedHere
  if (latest !== undefined && isGone(latest)) return kept('deleted', 'it changed at the source, but was deleted here')
  if (kind === 'avatar' && wasRemoved(avatars)) return kept('deleted', 'the user deleted their picture here')
  if (isEntombed) return kept('deleted-for-good', 'it was deleted here, and is gone for good')
  if (kind === 'avatar' && removedAvatar) return kept('deleted-for-good', 'the user removed their picture here, and it is gone for good')
  return undefined
}

const removals: readonly unknown[] = ['erased', 'deleted', 'deleted-for-good', 'there-deleted'] satisfies Array<KeptCode | 'there-deleted'>

/** It, or its owner, or their picture, was removed here: nobody is to see it any more, whatever else became of it now. */
export const isRemoved = (candidate: Pick<Candidate, 'kind'>, present: Present | undefined, { outcome, code }: { outcome: Decision['outcome'], code?: unknown }): boolean =>
  removals.includes(code) || (outcome === 'refused' && present !== undefined && removedHere(candidate, present) !== undefined)

/** Nor does it replace what a user chose here: what it brings is theirs from before, and is wanted only for an old path that nothing is behind but a copy. */
function besideOwn (candidate: Facts, present: Present): Decision | undefined {
  const { kind, paths } = candidate
  const choice = kind === 'avatar' ? choiceOf(present.avatars) : undefined
  if (choice === undefined) return undefined
  const free = paths.filter((path) => !present.takers.has(path))
  if (free.length === 0 && copiesOf(candidate, present).size === 0) return kept('own-picture', `the user has ${choice} here, and ${paths.length === 0 ? 'this one has no old address to keep' : 'a picture is behind its old address already'}`)
  return {
    outcome: present.latest === undefined ? 'imported' : 'changed',
    state: 'superseded', paths: free, movedPaths: [], replaces: undefined, current: undefined, ownerCommits: present.ownerCommits,
    notes: [...staying(candidate, present), `comes in as an earlier picture: the user has ${choice} here`],
  }
}

function choiceOf (avatars: readonly Known[]): string | undefined {
  if (avatars.some(({ source }) => source === null)) return 'set one of their own'
  return avatars.some(wasGoneBackTo) ? 'gone back to another' : undefined
}

/** Not by their purging alone: what an import itself replaced ends there too. */
const wasRemoved = (avatars: readonly Known[]): boolean =>
  avatars.some(({ state }) => state === 'deleted') || (avatars.length > 0 && !avatars.some(({ state }) => state === 'live'))

/** An imported picture is current since the day it was made, unless its user made it that. */
const wasGoneBackTo = ({ state, stateAt, createdAt }: Known): boolean => state === 'live' && stateAt.getTime() !== createdAt.getTime()

/** What else is behind its old paths. */
function strangers (paths: readonly string[], { takers, latest }: Present): Array<[path: string, taker: Known]> {
  return paths.flatMap((path): Array<[string, Known]> => {
    const taker = takers.get(path)
    return taker === undefined || taker.id === latest?.id ? [] : [[path, taker]]
  })
}

const staying = (candidate: Facts, present: Present): string[] => strangers(candidate.paths, present)
  .flatMap(([path, taker]) => isCopy(candidate, taker) ? [] : [`${JSON.stringify(path)} stays with ${taker.id}, which was imported first`])

/** A picture counts without its old paths; an attachment does not. */
function pathsGone (candidate: Facts, present: Present): Decision | undefined {
  if (candidate.kind === 'avatar') return undefined
  const taken = strangers(candidate.paths, present)
  const other = taken.find(([, taker]) => taker.source === null || taker.sourceSha256 !== candidate.sha256)
  if (other !== undefined) return { outcome: 'refused', code: 'path-taken', reason: `another file is behind ${JSON.stringify(other[0])} here (${other[1].id})`, notes: [] }
  return taken[0] === undefined ? undefined : sameBytes(candidate, taken[0][1])
}

function sameBytes (candidate: Facts, taker: Known): Decision {
  const isOthers = taker.ownerId !== candidate.ownerId && !isGone(taker)
  if (isOthers && !candidate.isOwnerless) return ownerDiffers(candidate, taker)
  return { outcome: 'there', code: 'there', reason: 'the same bytes were imported under its old path before', notes: isOthers ? [`it belongs to ${JSON.stringify(taker.ownerId)} here`] : [] }
}

/** Its date was not known: it is said to be of the moment in which it came. */
const isUndated = ({ id, originalId, createdAt }: Known): boolean => createdAt.getTime() === timeOf(originalId as BlobId ?? id).getTime()

/** An unknown date is no later than any other. */
const isNewer = ({ isDated, createdAt }: Facts, current: Known): boolean => isDated && (isUndated(current) || createdAt > current.createdAt)

function place (candidate: Facts, present: Present): Place {
  const { kind, paths } = candidate
  const { latest, takers, avatars, ownerCommits } = present
  const taken = new Map(strangers(paths, present))
  const own = paths.filter((path) => !taken.has(path))
  const current = kind === 'avatar' ? avatars.find(({ state }) => state === 'live') : undefined
  const isShown = current === undefined || current.id === latest?.id || isNewer(candidate, current)
  return {
    outcome: latest === undefined ? 'imported' : 'changed',
    state: isShown ? 'live' : 'superseded',
    paths: own,
    movedPaths: own.filter((path) => takers.has(path)),
    replaces: latest,
    current: isShown ? current?.id : undefined,
    ownerCommits,
    notes: [
      ...staying(candidate, present),
      ...(latest === undefined ? [] : otherVisibility(candidate.visibility, latest)),
      ...(current === undefined || current.source === candidate.source ? [] : [isShown ? replacing(current) : behind(candidate, current)]),
    ],
  }
}

const replacing = (current: Known): string => `replaces the picture imported from ${current.source ?? ''}, ${isUndated(current) ? 'whose date is not known' : 'which is older'}`

const behind = ({ isDated }: Facts, { source }: Known): string => isDated
  ? `the user has a newer picture, imported from ${source ?? ''}; this one is kept as an earlier version`
  : `its date is not known: the picture imported from ${source ?? ''} stays the user's, and this one is kept as an earlier version`
