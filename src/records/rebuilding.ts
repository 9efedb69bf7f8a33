// Fills a new database from sidecars, many at a time, with nobody else at it; what two sidecars disagree on is decided here.
import type { Prisma } from '../generated/prisma/client.ts'
import type { Erasure } from '../storage/erasures.ts'
import { newRecordId } from '../storage/ids.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import { amended, isLater, isRemoved, toRows, type Candidate } from './adopt.ts'
import type { Bulk } from './bulk.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'
import { keepEpoch } from './owners.ts'

const avatarsPerPage = 500
const erasuresPerQuery = 500

export type Totals = {
  readonly blobs: ReadonlyArray<{ readonly kind: string, readonly state: string, readonly count: number }>
  readonly currentAvatars: number
  readonly oldUrls: number
}

/** Two sidecars claimed the same: what `id` was not given, and who has it. */
export type Dispute = { readonly id: string, readonly kind: Sidecar['kind'], readonly claim: 'old URL' | 'attachment id', readonly value: string, readonly holder: string }

type Claim = Candidate & { readonly path: string, readonly kind: Sidecar['kind'], readonly state: string }

const isShown = ({ state }: Claim) => state === 'live' || state === 'pending'

/** An old URL goes to the file that is shown; of two such to the one that changed last. */
const isStronger = (one: Claim, other: Claim): boolean => isShown(one) === isShown(other) ? isLater(one, other) : isShown(one)

export type Rebuilding = ReturnType<typeof createRebuilding>

export function createRebuilding ({ client, bulk, now }: { client: PrismaClient, bulk: Pick<Bulk, 'insert'>, now: () => Date }) {
  /** Who holds these attachment ids. */
  async function holdersOf (recordIds: readonly string[]): Promise<Map<string, string>> {
    const rows = await client.attachment.findMany({ where: { id: { in: [...recordIds] } }, select: { id: true, blobId: true } })
    return new Map(rows.map(({ id, blobId }) => [id, blobId]))
  }

  /** The first to come keeps an id that two claim; the other gets a fresh one, so that its file is not left to the sweep. */
  async function settleRecordIds (batch: readonly Sidecar[], disputes: Dispute[]): Promise<Map<string, Partial<Sidecar>>> {
    const holders = await holdersOf(batch.map(({ recordId }) => recordId).filter((recordId) => recordId !== null))
    const changes = new Map<string, Partial<Sidecar>>()
    for (const { id, kind, recordId } of batch) {
      if (recordId === null) continue
      const holder = holders.get(recordId)
      if (holder === undefined) {
        holders.set(recordId, id)
      } else {
        disputes.push({ id, kind, claim: 'attachment id', value: recordId, holder })
        changes.set(id, { recordId: newRecordId() })
      }
    }
    return changes
  }

  async function claimsHeld (paths: readonly string[]): Promise<Map<string, Claim>> {
    if (paths.length === 0) return new Map()
    const rows = await client.alias.findMany({ where: { path: { in: [...paths] } }, include: { blob: { select: { kind: true, state: true, stateAt: true } } } })
    return new Map(rows.map(({ path, blobId, blob }) => [path, { path, id: blobId, kind: blob.kind as Sidecar['kind'], state: blob.state, stateAt: blob.stateAt }]))
  }

  /** Which old URLs each of the batch is left with, and the statements that take some from those who came before. */
  async function settlePaths (batch: readonly Sidecar[], disputes: Dispute[]): Promise<{ lost: Map<string, Set<string>>, taking: Prisma.PrismaPromise<unknown>[] }> {
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
      else taking.push(client.alias.delete({ where: { path: claim.path } }), client.blob.update({ where: { id: loser.id }, data: { revision: { increment: 1 }, sidecarDueAt: now() } }))
    }
    return { lost, taking }
  }

  /** One page of live avatars that no owner's row points at yet. Returns the id of its last, if there was any. */
  async function decidePage (after: string, counts: { current: number, superseded: number }): Promise<string | undefined> {
    const page = await client.blob.findMany({ where: { id: { gt: after }, kind: 'avatar', state: 'live', avatar: null }, orderBy: { id: 'asc' }, take: avatarsPerPage, select: { id: true, ownerId: true } })
    const owners = [...new Set(page.map(({ ownerId }) => ownerId).filter((ownerId) => ownerId !== null))]
    const [live, removals] = await Promise.all([
      client.blob.findMany({ where: { ownerId: { in: owners }, kind: 'avatar', state: 'live' }, select: { id: true, ownerId: true, stateAt: true } }),
      client.blob.groupBy({ by: ['ownerId'], where: { ownerId: { in: owners }, kind: 'avatar', state: 'deleted' }, _max: { stateAt: true } }),
    ])
    const removedAt = new Map(removals.map(({ ownerId, _max }) => [ownerId, _max.stateAt]))
    const decisions = [...Map.groupBy(live, ({ ownerId }) => ownerId ?? '')].map(([userId, candidates]) => decide(userId, candidates, removedAt.get(userId)))
    const current = decisions.flatMap(({ current }) => current)
    const superseded = decisions.flatMap(({ superseded }) => superseded)
    counts.current += current.length
    counts.superseded += superseded.length
    await client.$transaction([
      client.avatar.createMany({ data: current }),
      ...superseded.map(({ id, stateAt }) => client.blob.update({ where: { id }, data: { state: 'superseded', stateAt, revision: { increment: 1 }, sidecarDueAt: now() } })),
    ])
    return page.at(-1)?.id
  }

  return {
    /** Makes the rows of sidecars that are fit, all of them. Returns what more than one claimed. */
    insert: (batch: readonly Sidecar[]): Promise<Dispute[]> => querying(async () => {
      const disputes: Dispute[] = []
      const recordIds = await settleRecordIds(batch, disputes)
      const { lost, taking } = await settlePaths(batch, disputes)
      const rows = batch.map((sidecar) => {
        const without = lost.get(sidecar.id)
        const changes = { ...recordIds.get(sidecar.id), ...(without !== undefined && { aliases: sidecar.aliases.filter((path) => !without.has(path)) }) }
        return Object.keys(changes).length === 0 ? toRows(sidecar, null) : toRows(amended(sidecar, changes), now())
      })
      if (taking.length > 0) await client.$transaction(taking)
      bulk.insert(rows)
      return disputes
    }),

    /**
     * When all blobs are in: of each owner's avatars the newest live one is the current one, unless one was deleted since.
     * The others were replaced, whatever their sidecars say: those are due.
     */
    chooseAvatars: (): Promise<{ current: number, superseded: number }> => querying(async () => {
      const counts = { current: 0, superseded: 0 }
      for (let after: string | undefined = ''; after !== undefined;) after = await decidePage(after, counts)
      return counts
    }),

    /**
     * The ledger's erasures, oldest first, and with them the epoch that requests begin in. All are open: the gateway carries them out
     * once more, upon what has no record either. To be called when all blobs are in: what they began in counts too, as the ledger may be lost.
     */
    insertErasures: (erasures: readonly Erasure[]): Promise<void> => querying(async () => {
      // Of two that ledgers counted alike that did not know of each other, one has a row; both bind their owners.
      const counted = [...new Map(erasures.toReversed().map((erasure) => [erasure.epoch, erasure])).values()].toReversed()
      for (let from = 0; from < counted.length; from += erasuresPerQuery) {
        await client.erasure.createMany({ data: counted.slice(from, from + erasuresPerQuery).map(({ id, epoch, owner, at }) => ({ id, epoch, ownerKey: owner, createdAt: new Date(at) })) })
      }
      const owners = [...lastErasures(erasures)]
      for (let from = 0; from < owners.length; from += erasuresPerQuery) {
        await client.owner.createMany({ data: owners.slice(from, from + erasuresPerQuery).map(([key, epoch]) => ({ key, epoch })) })
      }
      await keepEpoch(client)
    }),

    /** Of all that is there now. */
    totals: (): Promise<Totals> => querying(async () => {
      const [groups, currentAvatars, oldUrls] = await Promise.all([
        client.blob.groupBy({ by: ['kind', 'state'], _count: true, orderBy: [{ kind: 'asc' }, { state: 'asc' }] }),
        client.avatar.count(),
        client.alias.count(),
      ])
      return { blobs: groups.map(({ kind, state, _count }) => ({ kind, state, count: _count })), currentAvatars, oldUrls }
    }),
  }
}

/** Of each erased owner, by keyed hash: the epoch below which all of theirs is erased. */
export function lastErasures (erasures: readonly Erasure[]): Map<string, number> {
  const epochs = new Map<string, number>()
  for (const { owner, epoch } of erasures) epochs.set(owner, Math.max(epoch, epochs.get(owner) ?? 0))
  return epochs
}

type Decision = { current: Array<{ userId: string, blobId: string }>, superseded: Candidate[] }

function decide (userId: string, candidates: readonly Candidate[], removedAt: Date | null | undefined): Decision {
  const newest = candidates.reduce((latest, one) => isLater(one, latest) ? one : latest)
  const isGone = isRemoved(newest, removedAt)
  // Not later than a removal: who removes their picture means these too.
  const stateAt = isGone && removedAt instanceof Date ? removedAt : newest.stateAt
  return {
    current: isGone ? [] : [{ userId, blobId: newest.id }],
    superseded: candidates.filter((one) => isGone || one !== newest).map(({ id }) => ({ id, stateAt })),
  }
}
