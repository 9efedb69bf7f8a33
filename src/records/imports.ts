// What an import asks of the records, and how it commits: never over what somebody did here meanwhile.
import type { Prisma } from '../generated/prisma/client.ts'
import { newRecordId, type BlobId } from '../storage/ids.ts'
import type { KeyedHash } from '../storage/keyed-hash.ts'
import type { BlobState } from '../storage/ledger.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { Kind } from '../storage/store.ts'
import { committing } from './commits.ts'
import type { PrismaClient } from './database.ts'
import { isStale, isTaken, querying } from './failures.ts'
import { createGroupCommits, isPlain, toAttachmentRow } from './import-commits.ts'
import type { Owners } from './owners.ts'
import { toBlobRow } from './sidecars.ts'

const fields = { id: true, kind: true, state: true, ownerId: true, creatorId: true, source: true, sourceSha256: true, stateAt: true, createdAt: true, originalId: true, attachment: { select: { visibility: true } } } as const satisfies Prisma.BlobSelect

/** A blob that is here already, as far as an import is concerned. */
export type Known = { readonly id: BlobId, readonly kind: Kind, readonly state: BlobState, readonly ownerId: string | null, readonly creatorId: string | null, readonly source: string | null, readonly sourceSha256: string | null, readonly stateAt: Date, readonly createdAt: Date, readonly originalId?: string | null, /** Null for an avatar. */ readonly visibility: string | null }

/** What is asked of a file that might be imported. */
export type Asked = { readonly kind: Kind, readonly source: string, readonly ownerId: string, readonly paths: readonly string[] }

/** What there is here that has to do with it. */
export type Present = {
  /** What was imported from the same source last. */
  readonly latest: Known | undefined
  /** What is behind its old paths. */
  readonly takers: ReadonlyMap<string, Known>
  /** Its source, or one of its old paths, was here and is gone for good. */
  readonly isEntombed: boolean
  /** The owner was erased here once. */
  readonly isErased: boolean
  /** The owner removed their picture here, and it is gone for good. */
  readonly removedAvatar: boolean
  /** All of the owner's pictures, in any state; none when it is no avatar. */
  readonly avatars: readonly Known[]
  /** Commits of the owner there have been. */
  readonly ownerCommits: number | undefined
}

/** What is said of an attachment, which stays when its file is imported again. */
export type KnownRecord = Pick<Sidecar, 'recordId' | 'filename' | 'visibility' | 'contextType' | 'contextId' | 'alt'> & { readonly ownerId: string }

/** A blob that old paths of others go to; `epoch`: of the run that says so. */
export type Heir = { readonly id: BlobId, readonly ownerId: string, readonly epoch: number }

/** How a new blob takes its place; what it says of the present must still hold, or nothing is committed. */
export type Placing = {
  readonly sidecar: Sidecar
  /** How many commits of the owner there had been when the rules were asked; for avatars. */
  readonly ownerCommits?: number | undefined
  /** The owner's current avatar, which this one follows. */
  readonly current?: BlobId | undefined
  /** The blob of the same source: it hands its old paths over, and its record. */
  readonly replaces?: Known | undefined
  /** Those of the sidecar's old paths that the replaced blob has now. */
  readonly movedPaths: readonly string[]
}

const known = ({ attachment, ...row }: Prisma.BlobGetPayload<{ select: typeof fields }>): Known =>
  ({ ...row, id: row.id as BlobId, kind: row.kind as Kind, state: row.state as BlobState, visibility: attachment?.visibility ?? null })

/** False when the present was not as the change took it to be. */
async function unlessOther (change: () => Promise<unknown>): Promise<boolean> {
  try {
    await change()
    return true
  } catch (error) {
    if (!isStale(error) && !isTaken(error)) throw error
    return false
  }
}

export type ImportRecords = ReturnType<typeof createImportRecords>

export function createImportRecords ({ client, owners, hash, now }: { client: PrismaClient, owners: Pick<Owners, 'entering' | 'refuseErased'>, hash: KeyedHash, now: () => Date }) {
  const retiring = (id: BlobId, state: Sidecar['state'], at: Date, more: { ownerId?: string } = {}) =>
    client.blob.update({ where: { id, state: 'live' }, data: { state, stateAt: at, revision: { increment: 1 }, sidecarDueAt: at, ...more } })

  const creating = ({ sidecar, movedPaths, replaces }: Placing, at: Date) => client.blob.create({
    data: {
      ...toBlobRow({ ...sidecar, aliases: sidecar.aliases.filter((path) => !movedPaths.includes(path)) }),
      // What it takes over may have been changed since the sidecar was written.
      ...(replaces !== undefined && { sidecarDueAt: at }),
    },
  })

  const movingPaths = ({ sidecar: { id }, movedPaths, replaces }: Placing) => replaces === undefined
    ? []
    : movedPaths.map((path) => client.alias.update({ where: { path, blobId: replaces.id }, data: { blobId: id } }))

  /** After entering, which counts one more: no other commit of this owner since the rules were asked. */
  function alone (ownerId: string, before = 0): Prisma.PrismaPromise<unknown> {
    return client.owner.update({ where: { key: hash('owner', ownerId), commits: before + 1 }, data: { commits: before + 1 } })
  }

  function avatar (ownerId: string, placing: Placing, at: Date): Prisma.PrismaPromise<unknown>[] {
    const { sidecar: { id: blobId, state }, current, replaces } = placing
    const shown = state !== 'live'
      ? []
      : current === undefined
        ? [client.avatar.create({ data: { userId: ownerId, blobId } })]
        : [client.avatar.update({ where: { userId: ownerId, blobId: current }, data: { blobId } }), retiring(current, 'superseded', at)]
    // A blob that hands over its paths but was no current avatar: only its sidecar changes.
    const handing = replaces !== undefined && replaces.id !== (state === 'live' ? current : undefined)
      ? [client.blob.update({ where: { id: replaces.id }, data: { revision: { increment: 1 }, sidecarDueAt: at } })]
      : []
    return [alone(ownerId, placing.ownerCommits), creating(placing, at), ...shown, ...movingPaths(placing), ...handing]
  }

  function attachment (placing: Placing, at: Date, successorId: string): Prisma.PrismaPromise<unknown>[] {
    const { sidecar, replaces } = placing
    const { id, ...record } = toAttachmentRow(placing)
    if (replaces === undefined) return [creating(placing, at), client.attachment.create({ data: { ...record, id } })]
    // The record goes over to the new bytes, so that whoever knows its id keeps it; the old bytes go to the trash under another.
    return [
      creating(placing, at),
      retiring(replaces.id, 'deleted', at),
      client.attachment.update({ where: { id, blobId: replaces.id, deletedAt: null }, data: { blobId: sidecar.id } }),
      client.attachment.create({ data: { ...record, id: successorId, blobId: replaces.id, deletedAt: at } }),
      ...movingPaths(placing),
    ]
  }

  async function placeAlone (ownerId: string, placing: Placing): Promise<boolean> {
    const { sidecar } = placing
    const at = now()
    const changes = sidecar.kind === 'avatar' ? avatar(ownerId, placing, at) : attachment(placing, at, newRecordId())
    const commit = () => client.$transaction([client.$executeRaw(owners.entering(ownerId, sidecar.epoch)), ...changes])
    return unlessOther(() => committing(client, [sidecar.id], commit, () => owners.refuseErased(ownerId, sidecar.epoch)))
  }

  const placeInGroup = createGroupCommits({ client, owners, hash, single: placeAlone })

  const ownersOf = async (asked: readonly Asked[]) => {
    const keys = [...new Set(asked.map(({ ownerId }) => hash('owner', ownerId)))]
    return new Map((await querying(() => client.owner.findMany({ where: { key: { in: keys } } }))).map((owner) => [owner.key, owner]))
  }

  /** The blob that was imported from each source last, whatever became of it: ids count up. */
  const latestOf = async (asked: readonly Asked[]): Promise<Map<string | null, Known>> => {
    const rows = await querying(() => client.blob.findMany({ where: { source: { in: asked.map(({ source }) => source) } }, orderBy: { id: 'asc' }, select: fields }))
    return new Map(rows.map((row) => [row.source, known(row)]))
  }

  /** What is behind each old path, in any state. */
  const takersOf = async (asked: readonly Asked[]): Promise<Map<string, Known>> => {
    const rows = await querying(() => client.alias.findMany({ where: { path: { in: asked.flatMap(({ paths }) => [...paths]) } }, select: { path: true, blob: { select: fields } } }))
    return new Map(rows.map(({ path, blob }) => [path, known(blob)]))
  }

  /** Every picture that each owner has here, in any state. */
  const avatarsOf = async (asked: readonly Asked[]): Promise<Map<string | null, Known[]>> => {
    const ownerIds = [...new Set(asked.filter(({ kind }) => kind === 'avatar').map(({ ownerId }) => ownerId))]
    if (ownerIds.length === 0) return new Map()
    const rows = await querying(() => client.blob.findMany({ where: { ownerId: { in: ownerIds }, kind: 'avatar' }, select: fields }))
    return Map.groupBy(rows.map(known), ({ ownerId }) => ownerId)
  }

  /** First the owner's avatar, which counts for avatars alone. */
  const tombstonesAsked = ({ source, ownerId, paths }: Asked): string[] => [hash('avatar', ownerId), hash('source', source), ...paths.map((path) => hash('path', path))]

  const entombed = async (keys: readonly string[]): Promise<Set<string>> =>
    new Set((await querying(() => client.tombstone.findMany({ where: { key: { in: [...new Set(keys)] } }, select: { key: true } }))).map(({ key }) => key))

  return {
    /** What there is here of each of these, in a few queries for all. */
    async presentOf (asked: readonly Asked[]): Promise<Present[]> {
      // The owners first: what is committed after it makes the commit of an avatar fail.
      const owned = await ownersOf(asked)
      const [latest, takers, avatars, gone] = await Promise.all([latestOf(asked), takersOf(asked), avatarsOf(asked), entombed(asked.flatMap(tombstonesAsked))])
      return asked.map((one) => {
        const owner = owned.get(hash('owner', one.ownerId))
        const [, ...things] = tombstonesAsked(one)
        return {
          latest: latest.get(one.source),
          takers: new Map(one.paths.flatMap((path) => takers.has(path) ? [[path, takers.get(path) as Known]] : [])),
          isEntombed: things.some((key) => gone.has(key)),
          isErased: (owner?.epoch ?? 0) > 0,
          removedAvatar: one.kind === 'avatar' && gone.has(hash('avatar', one.ownerId)),
          avatars: one.kind === 'avatar' ? avatars.get(one.ownerId) ?? [] : [],
          ownerCommits: owner?.commits,
        }
      })
    },

    /** What is said of an attachment that is not deleted. */
    async recordOf (blobId: BlobId): Promise<KnownRecord | undefined> {
      const row = await querying(() => client.attachment.findFirst({ where: { blobId, deletedAt: null } }))
      if (row === null) return undefined
      const { id: recordId, ownerId, filename, visibility, contextType, contextId, alt } = row
      return { recordId, ownerId, filename, visibility, contextType, contextId, alt }
    },

    /**
     * Attachments go to the trash; where there is an heir, as those of its owner, and their old paths to the heir. False, and nothing
     * changed, when one of them is not live any more. @throws OwnerErased
     */
    async handOver (ids: readonly BlobId[], heir: Heir | undefined): Promise<boolean> {
      const at = now()
      const taker = heir === undefined ? {} : { ownerId: heir.ownerId }
      const leaving = ids.flatMap((blobId) => [
        retiring(blobId, 'deleted', at, taker),
        client.attachment.update({ where: { blobId, deletedAt: null }, data: { deletedAt: at, ...taker } }),
      ])
      const inheriting = ({ id, ownerId, epoch }: Heir) => [
        client.$executeRaw(owners.entering(ownerId, epoch)),
        client.blob.update({ where: { id, state: { in: ['live', 'superseded'] } }, data: { revision: { increment: 1 }, sidecarDueAt: at } }),
        client.alias.updateMany({ where: { blobId: { in: [...ids] } }, data: { blobId: id } }),
      ]
      const changes: Array<Prisma.PrismaPromise<unknown>> = [...heir === undefined ? [] : inheriting(heir), ...leaving]
      return unlessOther(() => querying(() => client.$transaction(changes))).catch(async (error: unknown) => {
        if (heir !== undefined) await owners.refuseErased(heir.ownerId, heir.epoch)
        throw error
      })
    },

    /**
     * Commits a published blob. False, and nothing committed, when the present is not as `placing` says any more.
     * @throws OwnerErased, UploadConflict, and what a failed commit means
     */
    place: async (ownerId: string, placing: Placing): Promise<boolean> => isPlain(placing) ? placeInGroup(ownerId, placing) : placeAlone(ownerId, placing),
  }
}
