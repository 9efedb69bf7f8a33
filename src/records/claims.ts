// What more than one sidecar claims: ids, attachment ids and old URLs go to one of them, with nobody else at the database.
import type { Prisma } from '../generated/prisma/client.ts'
import { asBlobId, newRecordId, timeOf, type BlobId } from '../storage/ids.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import { isLater, type Candidate } from './adopt.ts'
import type { PrismaClient } from './database.ts'

/** Two sidecars claimed the same: what `id` was not given, and who has it; of a blob id, the kind of it. Or no rows could be made of one. */
export type Dispute = { readonly id: string, readonly kind: Sidecar['kind'] } & (
  | { readonly claim: 'old URL' | 'blob id', readonly value: string, readonly holder: string }
  | { readonly claim: 'attachment id', readonly value: string, readonly holder: string, readonly given: string }
  | { readonly claim: 'rows', readonly reason: string }
  /** It was to go: `copy` is in its place, without its metadata. */
  | { readonly claim: 'its own place', readonly copy: string }
)

type Holder = { readonly id: string, readonly ownerId: string | null }

type Claim = Candidate & { readonly path: string, readonly kind: Sidecar['kind'], readonly state: string }

const isShown = ({ state }: Claim) => state === 'live' || state === 'pending'

/** An old URL goes to the file that is shown; of two such to the one that changed last. */
const isStronger = (one: Claim, other: Claim): boolean => isShown(one) === isShown(other) ? isLater(one, other) : isShown(one)

/**
 * Whose an attachment id is, which is made at the end of an upload whose blob has its id from the beginning: of that upload, rather than
 * of one that came later or long before. Of the same owner it is the later one's, as an import hands it on to what replaces a file.
 */
function isNearer (one: Holder, other: Holder, recordId: string): boolean {
  if (one.ownerId === other.ownerId) return one.id > other.id
  const id = asBlobId(recordId)
  if (id === undefined) return false
  const [gap, otherGap] = [one, other].map((holder) => timeOf(id).getTime() - timeOf(holder.id as BlobId).getTime()) as [number, number]
  return (gap >= 0) === (otherGap >= 0) ? Math.abs(gap) < Math.abs(otherGap) : gap >= 0
}

type Settled = {
  /** What those of the batch are left with. */
  readonly changes: Map<string, Partial<Sidecar>>
  /** Takes something from those who came before. */
  readonly taking: Prisma.PrismaPromise<unknown>[]
}

type Options = {
  client: PrismaClient
  now: () => Date
  /** Which blob has an attachment id in the old database, as far as anybody knows. */
  oldHolder: (recordId: string) => string | undefined
}

export function createClaims ({ client, now, oldHolder }: Options) {
  const amending = (id: string) => client.blob.update({ where: { id }, data: { revision: { increment: 1 }, sidecarDueAt: now() } })

  /** The first to come keeps the id of a blob: nobody would find two. */
  async function withoutKnown (batch: readonly Sidecar[], disputes: Dispute[]): Promise<Sidecar[]> {
    const rows = await client.blob.findMany({ where: { id: { in: batch.map(({ id }) => id) } }, select: { id: true, kind: true } })
    const known = new Map<string, string>(rows.map(({ id, kind }) => [id, kind]))
    return batch.filter(({ id, kind }) => {
      const holder = known.get(id)
      if (holder === undefined) known.set(id, kind)
      else disputes.push({ id, kind, claim: 'blob id', value: id, holder })
      return holder === undefined
    })
  }

  /** What a copy without metadata is in the place of does not come back, and goes again where it came before its copy. */
  async function withoutCopied (batch: readonly Sidecar[], disputes: Dispute[]): Promise<Sidecar[]> {
    const held = await client.blob.findMany({ where: { originalId: { in: batch.map(({ id }) => id) } }, select: { id: true, originalId: true } })
    const copies = new Map([...held, ...batch].map(({ id, originalId }) => [originalId, id]))
    const originals = batch.map(({ originalId }) => originalId).filter((id) => id !== null)
    const early = originals.length === 0 ? [] : await client.blob.findMany({ where: { id: { in: originals } }, select: { id: true, kind: true } })
    await client.blob.deleteMany({ where: { id: { in: early.map(({ id }) => id) } } })
    for (const { id, kind } of [...early, ...batch.filter(({ id }) => copies.has(id))]) disputes.push({ id, kind: kind as Sidecar['kind'], claim: 'its own place', copy: copies.get(id) ?? '' })
    return batch.filter(({ id }) => !copies.has(id))
  }

  /** Who holds these attachment ids. */
  async function holdersOf (recordIds: readonly string[]): Promise<Map<string, Holder>> {
    const rows = await client.attachment.findMany({ where: { id: { in: [...recordIds] } }, select: { id: true, blobId: true, ownerId: true } })
    return new Map(rows.map(({ id, blobId, ownerId }) => [id, { id: blobId, ownerId }]))
  }

  /** Of two that claim an attachment id the other gets a fresh one, so that its file is not left to the sweep. */
  async function settleRecordIds (batch: readonly Sidecar[], disputes: Dispute[]): Promise<Settled> {
    const holders = await holdersOf(batch.map(({ recordId }) => recordId).filter((recordId) => recordId !== null))
    const settled: Settled = { changes: new Map(), taking: [] }
    const isNew = new Set(batch.map(({ id }) => id as string))
    for (const one of batch) {
      if (one.recordId === null) continue
      const holder = holders.get(one.recordId)
      const [winner, loser] = holder === undefined || isStrongerHolder(one, holder, one.recordId) ? [one, holder] : [holder, one]
      holders.set(one.recordId, winner)
      if (loser === undefined) continue
      const given = newRecordId()
      disputes.push({ id: loser.id, kind: 'attachment', claim: 'attachment id', value: one.recordId, holder: winner.id, given })
      if (isNew.has(loser.id)) settled.changes.set(loser.id, { recordId: given })
      else settled.taking.push(client.attachment.update({ where: { id: one.recordId }, data: { id: given } }), amending(loser.id))
    }
    return settled
  }

  function isStrongerHolder (one: Holder, holder: Holder, recordId: string): boolean {
    const old = oldHolder(recordId)
    return old === one.id || (old !== holder.id && isNearer(one, holder, recordId))
  }

  async function claimsHeld (paths: readonly string[]): Promise<Map<string, Claim>> {
    if (paths.length === 0) return new Map()
    const rows = await client.alias.findMany({ where: { path: { in: [...paths] } }, include: { blob: { select: { kind: true, state: true, stateAt: true } } } })
    return new Map(rows.map(({ path, blobId, blob }) => [path, { path, id: blobId, kind: blob.kind as Sidecar['kind'], state: blob.state, stateAt: blob.stateAt }]))
  }

  async function settlePaths (batch: readonly Sidecar[], disputes: Dispute[]): Promise<Settled> {
    const claims = batch.flatMap(({ id, kind, state, stateAt, aliases }) => [...new Set(aliases)].map((path): Claim => ({ path, id, kind, state, stateAt: new Date(stateAt) })))
    const holders = await claimsHeld(claims.map(({ path }) => path))
    const lost = new Map<string, Set<string>>()
    const taking: Prisma.PrismaPromise<unknown>[] = []
    const isNew = new Set(batch.map(({ id }) => id as string))
    for (const claim of claims) {
      const holder = holders.get(claim.path)
      const [winner, loser] = holder === undefined || isStronger(claim, holder) ? [claim, holder] : [holder, claim]
      holders.set(claim.path, winner)
      if (loser === undefined) continue
      disputes.push({ id: loser.id, kind: loser.kind, claim: 'old URL', value: claim.path, holder: winner.id })
      if (isNew.has(loser.id)) lost.set(loser.id, (lost.get(loser.id) ?? new Set()).add(claim.path))
      else taking.push(client.alias.delete({ where: { path: claim.path } }), amending(loser.id))
    }
    const left = batch.filter(({ id }) => lost.has(id)).map(({ id, aliases }) => [id, { aliases: aliases.filter((path) => lost.get(id)?.has(path) !== true) }] as const)
    return { changes: new Map(left), taking }
  }

  return { withoutKnown, withoutCopied, settleRecordIds, settlePaths }
}
