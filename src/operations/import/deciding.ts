// What becomes of a candidate, from what is here already: the rules of an import, and nothing else.
import type { Known, Present } from '../../records/imports.ts'
import type { BlobId } from '../../storage/ids.ts'
import type { Candidate } from './candidate.ts'

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
  | { readonly outcome: 'there', readonly code: 'there' | 'there-deleted', readonly reason: string }
  | { readonly outcome: 'kept', readonly code: KeptCode, readonly reason: string }
  | { readonly outcome: 'refused', readonly code: 'path-taken', readonly reason: string }

type Facts = Pick<Candidate, 'kind' | 'paths' | 'canLosePaths' | 'createdAt'> & { readonly sha256: string }

export function decide (candidate: Facts, present: Present): Decision {
  return asBefore(candidate.sha256, present) ?? removedHere(candidate, present) ?? pathsGone(candidate, present) ?? besideOwn(candidate, present) ?? place(candidate, present)
}

const isGone = ({ state }: Known): boolean => state === 'deleted' || state === 'purging'

function asBefore (sha256: string, { latest }: Present): Decision | undefined {
  if (latest?.sourceSha256 !== sha256) return undefined
  return isGone(latest)
    ? { outcome: 'there', code: 'there-deleted', reason: 'it was imported before and has been deleted here since' }
    : { outcome: 'there', code: 'there', reason: 'it was imported before' }
}

const kept = (code: KeptCode, reason: string): Decision => ({ outcome: 'kept', code, reason })

/** An import revives nothing that somebody removed here. */
function removedHere ({ kind }: Pick<Candidate, 'kind'>, { latest, isEntombed, isErased, removedAvatar, avatars }: Present): Decision | undefined {
  if (isErased) return kept('erased', 'the owner was erased here')
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

/** Nor does it replace what a user chose here: what it brings is theirs from before, and is wanted only for an old path that nothing is behind. */
function besideOwn ({ kind, paths }: Facts, present: Present): Decision | undefined {
  const choice = kind === 'avatar' ? choiceOf(present.avatars) : undefined
  if (choice === undefined) return undefined
  const free = paths.filter((path) => !present.takers.has(path))
  if (free.length === 0) return kept('own-picture', `the user has ${choice} here, and ${paths.length === 0 ? 'this one has no old address to keep' : 'a picture is behind its old address already'}`)
  return {
    outcome: present.latest === undefined ? 'imported' : 'changed',
    state: 'superseded', paths: free, movedPaths: [], replaces: undefined, current: undefined, ownerCommits: present.ownerCommits,
    notes: [...staying(strangers(paths, present)), `comes in as an earlier picture: the user has ${choice} here`],
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

const staying = (taken: Iterable<[path: string, taker: Known]>): string[] =>
  [...taken].map(([path, { id }]) => `${JSON.stringify(path)} stays with ${id}, which was imported first`)

function pathsGone ({ kind, paths, sha256, canLosePaths }: Facts, present: Present): Decision | undefined {
  const taken = strangers(paths, present)
  const [other] = taken.filter(([, taker]) => taker.source === null || taker.sourceSha256 !== sha256)
  if (other !== undefined && !canLosePaths) return { outcome: 'refused', code: 'path-taken', reason: `another file is behind ${JSON.stringify(other[0])} here (${other[1].id})` }
  if (kind === 'attachment' && taken.length > 0) return { outcome: 'there', code: 'there', reason: 'the same bytes were imported under its old path before' }
  return undefined
}

function place ({ kind, paths, createdAt }: Facts, present: Present): Place {
  const { latest, takers, avatars, ownerCommits } = present
  const taken = new Map(strangers(paths, present))
  const own = paths.filter((path) => !taken.has(path))
  const current = kind === 'avatar' ? avatars.find(({ state }) => state === 'live') : undefined
  const isShown = current === undefined || current.id === latest?.id || createdAt > current.createdAt
  return {
    outcome: latest === undefined ? 'imported' : 'changed',
    state: isShown ? 'live' : 'superseded',
    paths: own,
    movedPaths: own.filter((path) => takers.has(path)),
    replaces: latest,
    current: isShown ? current?.id : undefined,
    ownerCommits,
    notes: [
      ...staying(taken),
      ...(isShown ? [] : [`the user has a newer picture, imported from ${current.source ?? ''}; this one is kept as an earlier version`]),
    ],
  }
}
