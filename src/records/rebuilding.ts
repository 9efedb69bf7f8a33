// Fills a new database from sidecars, many at a time, with nobody else at it. Who gets what two sidecars claim is not decided here.
import type { Erasure } from '../storage/erasures.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import { amended, isLater, isRemoved, toRows, type Candidate } from './adopt.ts'
import type { Bulk } from './bulk.ts'
import { createClaims, type Dispute } from './claims.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'
import { leapEpoch } from './owners.ts'

const avatarsPerPage = 500
const erasuresPerQuery = 500

export type Totals = {
  readonly blobs: ReadonlyArray<{ readonly kind: string, readonly state: string, readonly count: number }>
  readonly currentAvatars: number
  readonly oldUrls: number
}

/** Of these rows, rather than of the database as a whole: others may go in. */
function isOfOne (error: unknown): boolean {
  const code = String((error as { code?: unknown }).code)
  return error instanceof TypeError || error instanceof RangeError || /^SQLITE_(?:CONSTRAINT|MISMATCH|TOOBIG)/.test(code)
}

export type Rebuilding = ReturnType<typeof createRebuilding>

type Options = {
  client: PrismaClient
  bulk: Pick<Bulk, 'insert'>
  now: () => Date
  /** Which blob has an attachment id in the old database, as far as anybody knows. */
  oldHolder?: (recordId: string) => string | undefined
}

export function createRebuilding ({ client, bulk, now, oldHolder = () => undefined }: Options) {
  const claims = createClaims({ client, now, oldHolder })

  async function insertPage (batch: readonly Sidecar[]): Promise<Dispute[]> {
    const disputes: Dispute[] = []
    const fresh = await claims.withoutCopied(await claims.withoutKnown(batch, disputes), disputes)
    const [ids, paths] = [await claims.settleRecordIds(fresh, disputes), await claims.settlePaths(fresh, disputes)]
    const rows = fresh.map((sidecar) => {
      const changes = { ...ids.changes.get(sidecar.id), ...paths.changes.get(sidecar.id) }
      return Object.keys(changes).length === 0 ? toRows(sidecar, null) : toRows(amended(sidecar, changes), now())
    })
    const taking = [...ids.taking, ...paths.taking]
    if (taking.length > 0) await client.$transaction(taking)
    bulk.insert(rows)
    return disputes
  }

  /** One by one where they do not go in together: a single one that does not fit keeps no other out. */
  async function insertFitting (batch: readonly Sidecar[]): Promise<Dispute[]> {
    try {
      return await insertPage(batch)
    } catch (error) {
      if (!isOfOne(error)) throw error
      const [first, ...others] = batch
      if (first !== undefined && others.length === 0) return [{ id: first.id, kind: first.kind, claim: 'rows', reason: error instanceof Error ? error.message : String(error) }]
      const disputes: Dispute[] = []
      for (const one of batch) disputes.push(...await insertFitting([one]))
      return disputes
    }
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
    /** Makes the rows of sidecars that are fit. Returns what more than one claimed, and what did not fit all the same. */
    insert: (batch: readonly Sidecar[]): Promise<Dispute[]> => querying(() => insertFitting(batch)),

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
     * Uploads from here on lie above whatever a ledger that comes up later may count.
     */
    insertErasures: (erasures: readonly Erasure[], { epochFloor = 0 } = {}): Promise<void> => querying(async () => {
      // Of two that ledgers counted alike that did not know of each other, one has a row; both bind their owners.
      const counted = [...new Map(erasures.toReversed().map((erasure) => [erasure.epoch, erasure])).values()].toReversed()
      for (let from = 0; from < counted.length; from += erasuresPerQuery) {
        await client.erasure.createMany({ data: counted.slice(from, from + erasuresPerQuery).map(({ id, epoch, owner, at }) => ({ id, epoch, ownerKey: owner, createdAt: new Date(at) })) })
      }
      const owners = [...lastErasures(erasures)]
      for (let from = 0; from < owners.length; from += erasuresPerQuery) {
        await client.owner.createMany({ data: owners.slice(from, from + erasuresPerQuery).map(([key, epoch]) => ({ key, epoch })) })
      }
      await leapEpoch(client, now(), epochFloor)
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
