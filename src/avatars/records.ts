// The rows of avatars: which blob is a user's current one, and the changes of that, each a compare-and-set.
import type { UserId } from '../callers/caller.ts'
import { PictureReplaced, UploadConflict } from '../errors.ts'
import { committing, nothing, type Alongside } from '../records/commits.ts'
import type { PrismaClient } from '../records/database.ts'
import { untold, type Events } from '../records/events.ts'
import { isStale, isTaken, querying } from '../records/failures.ts'
import type { Owners } from '../records/owners.ts'
import { createPictureChoices } from '../records/picture-choices.ts'
import { forgetful, type RowMemory } from '../records/row-memory.ts'
import { createUserTurns } from '../records/user-turns.ts'
import { toBlobRow } from '../records/sidecars.ts'
import { inPrisma } from '../records/statements.ts'
import type { Prisma } from '../generated/prisma/client.ts'
import type { BlobId } from '../storage/ids.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import { ofAdopted, ofRemoved, ofSidecar } from './events.ts'

export type AvatarBlob = Prisma.BlobGetPayload<object>

/** As many changes of one user's avatar can be under way at once before one of them gives up. */
const attempts = 100

const trash = ['superseded', 'deleted']

/** It depends on whether there was no picture before. */
export type AlongsideAvatar = (isFirst: boolean) => Alongside

export type AvatarRecords = ReturnType<typeof createAvatarRecords>

type Options = { client: PrismaClient, owners: Owners, now: () => Date, memory?: RowMemory, events?: Pick<Events, 'telling' | 'told'> }

export function createAvatarRecords ({ client, owners, now, memory = forgetful, events = untold }: Options) {
  const choices = createPictureChoices({ client, owners })
  const turns = createUserTurns()

  async function currentId (userId: UserId): Promise<BlobId | undefined> {
    const row = await querying(() => client.avatar.findUnique({ where: { userId }, select: { blobId: true } }))
    return row?.blobId as BlobId | undefined
  }

  /** Who removes their picture means all of them: what it had replaced is shown no more, though it can be gone back to. */
  const isHidden = async ({ state, stateAt, ownerId }: AvatarBlob): Promise<boolean> => state === 'superseded' &&
    await querying(() => client.blob.count({ where: { ownerId, kind: 'avatar', state: 'deleted', stateAt: { gte: stateAt } } })) > 0

  /** Now, but after all earlier changes of this user's pictures: a clock that is set back must not turn their order round. */
  async function changeTime (userId: UserId): Promise<Date> {
    const { _max: { stateAt } } = await querying(() => client.blob.aggregate({ where: { ownerId: userId, kind: 'avatar' }, _max: { stateAt: true } }))
    return new Date(Math.max(now().getTime(), (stateAt?.getTime() ?? 0) + 1))
  }

  /** What a change of state sets, so that the sidecar follows. */
  const changed = (state: Sidecar['state'], at: Date) => ({ state, stateAt: at, revision: { increment: 1 }, sidecarDueAt: at })

  /** Points the user at `blobId`, and retires what was current; undefined when another change came first. */
  function pointing (userId: UserId, blobId: BlobId, current: BlobId | undefined, at: Date): Prisma.PrismaPromise<unknown>[] {
    if (current === undefined) return [client.avatar.create({ data: { userId, blobId } })]
    const pointed = client.avatar.update({ where: { userId, blobId: current }, data: { blobId } })
    if (current === blobId) return [pointed]
    return [pointed, client.blob.update({ where: { id: current, state: 'live' }, data: changed('superseded', at) })]
  }

  /** Tries `change` upon what is current until no other change comes between: in this process none does. */
  const untilSettled = <T>(userId: UserId, change: (current: BlobId | undefined) => Promise<T>): Promise<T> => turns.take(userId, () => settled(userId, change))

  async function settled<T> (userId: UserId, change: (current: BlobId | undefined) => Promise<T>): Promise<T> {
    let reason: unknown
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      try {
        return await change(await currentId(userId))
      } catch (error) {
        if (!isStale(error) && !isTaken(error)) throw error
        reason = error
      }
    }
    throw new UploadConflict({ cause: reason })
  }

  return {
    changeTime,

    basisOf: memory.basisOf,

    current: (userId: UserId): Promise<AvatarBlob | null> => memory.get(`current avatar of ${userId}`, async () => {
      const blob = memory.reader.currentAvatar(userId)
      return blob === undefined ? querying(async () => (await client.avatar.findUnique({ where: { userId }, include: { blob: true } }))?.blob ?? null) : blob
    }, ({ id }) => [`avatars ${userId}`, `blob ${id}`]),

    /** A version that is, or was, this user's picture, and was not deleted; or the copy without metadata that is in its place. Not one that was replaced before they removed their picture. */
    shownVersion: (userId: UserId, id: BlobId): Promise<AvatarBlob | null> => memory.get(`avatar ${id} of ${userId}`, async () => {
      const shown = { ownerId: userId, kind: 'avatar', state: { in: ['live', 'superseded'] } }
      const blob = await querying(async () => await client.blob.findFirst({ where: { id, ...shown } }) ?? await client.blob.findFirst({ where: { originalId: id, ...shown } }))
      return blob === null || await isHidden(blob) ? null : blob
    }, (blob) => [`avatars ${userId}`, `blob ${blob.id}`]),

    isHidden,

    /** A picture of this user's that is not purged: current, replaced or deleted. */
    kept: (userId: UserId, id: BlobId): Promise<AvatarBlob | null> =>
      querying(() => client.blob.findFirst({ where: { id, ownerId: userId, kind: 'avatar', state: { in: ['live', ...trash] } } })),

    /** What was replaced or deleted, the latest first. */
    earlier: (userId: UserId, limit: number): Promise<AvatarBlob[]> =>
      querying(() => client.blob.findMany({ where: { ownerId: userId, kind: 'avatar', state: { in: trash } }, orderBy: [{ stateAt: 'desc' }, { id: 'desc' }], take: limit })),

    /** Makes a published blob the user's current avatar, if need be only in the place of `expected`, or, as an earlier choice of the user's (`chosenAs`), unless a later one has taken effect. Returns the one it replaced. @throws OwnerErased, PictureReplaced, and what `alongside` refuses for */
    set: (userId: UserId, sidecar: Sidecar, { expected, chosenAs, alongside = () => nothing }: { expected?: BlobId, chosenAs?: number | undefined, alongside?: AlongsideAvatar } = {}): Promise<BlobId | undefined> => untilSettled(userId, async (current) => {
      if (expected !== undefined && current !== expected) throw new PictureReplaced()
      const { statements, refuse } = alongside(current === undefined)
      const commit = () => client.$transaction([
        client.$executeRaw(owners.entering(userId, sidecar.epoch)),
        chosenAs === undefined ? choices.now(userId) : choices.made(userId, chosenAs),
        client.blob.create({ data: toBlobRow(sidecar) }),
        ...pointing(userId, sidecar.id, current, new Date(sidecar.stateAt)),
        ...inPrisma(client, [...events.telling([ofSidecar(userId, sidecar, current)]), ...statements()]),
      ])
      await committing(client, [sidecar.id], commit, async (error) => {
        await owners.refuseErased(userId, sidecar.epoch)
        choices.refuse(error)
        await refuse(error)
      })
      events.told()
      return current
    }),

    /** Keeps a published blob as one that a later choice of the user's has replaced or, when they have none, removed. @throws OwnerErased, and what `alongside` refuses for */
    async keepEarlier (userId: UserId, sidecar: Sidecar, { statements, refuse }: Alongside): Promise<void> {
      const state = await currentId(userId) === undefined ? 'deleted' : 'superseded'
      const at = await changeTime(userId)
      const commit = () => client.$transaction([
        client.$executeRaw(owners.entering(userId, sidecar.epoch)),
        client.blob.create({ data: { ...toBlobRow(sidecar), state, stateAt: at, revision: sidecar.revision + 1, sidecarDueAt: at } }),
        ...inPrisma(client, statements()),
      ])
      await committing(client, [sidecar.id], commit, async (error) => {
        await owners.refuseErased(userId, sidecar.epoch)
        await refuse(error)
      })
    },

    /**
     * Makes a blob the user's current avatar since now, of this epoch, also one that is it already. Undefined when it is in none of
     * these states any more. @throws OwnerErased
     */
    adopt: (userId: UserId, id: BlobId, states: ReadonlyArray<Sidecar['state']>, epoch: number): Promise<{ replaced: BlobId | undefined } | undefined> => untilSettled(userId, async (current) => {
      const state = { in: [...states] }
      const blob = await querying(() => client.blob.findFirst({ where: { id, state } }))
      if (blob === null) return undefined
      const at = await changeTime(userId)
      const replaced = current === id ? undefined : current
      const adopted = ofAdopted(userId, { ...blob, stateAt: at, epoch }, { wasPending: blob.state === 'pending', replaced })
      const commit = () => client.$transaction([
        client.$executeRaw(owners.entering(userId, epoch)),
        choices.now(userId),
        client.blob.update({ where: { id, state }, data: { ...changed('live', at), ownerId: userId, epoch } }),
        ...pointing(userId, id, current, at),
        // Nobody sees that a picture that is shown anyway has become its user's own choice.
        ...(current === id ? [] : inPrisma(client, events.telling([adopted]))),
      ])
      await querying(commit).catch(async (error: unknown) => {
        await owners.refuseErased(userId, epoch)
        throw error
      })
      events.told()
      return { replaced }
    }),

    /** Keeps a picture that is replaced or deleted as one that was replaced just now. False when it is no longer such a picture. */
    retain: async (userId: UserId, id: BlobId, state: Sidecar['state']): Promise<boolean> => {
      const at = await changeTime(userId)
      const { count } = await querying(() => client.blob.updateMany({ where: { id, kind: 'avatar', state }, data: changed('superseded', at) }))
      return count === 1
    },

    /** The user has no avatar any more; the blob is in the trash. Returns it, or undefined when there was none. */
    remove: (userId: UserId): Promise<BlobId | undefined> => untilSettled(userId, async (current) => {
      if (current === undefined) return undefined
      const at = await changeTime(userId)
      const { epoch } = await querying(() => client.blob.findUniqueOrThrow({ where: { id: current }, select: { epoch: true } }))
      await querying(() => client.$transaction([
        choices.now(userId),
        ...inPrisma(client, events.telling([ofRemoved(userId, { id: current, epoch })])),
        client.avatar.delete({ where: { userId, blobId: current } }),
        client.blob.update({ where: { id: current, state: 'live' }, data: changed('deleted', at) }),
      ]))
      events.told()
      return current
    }),

    /** What is complete, and waits to become the user's avatar, will not. Whether anything was. */
    decline: (userId: UserId): Promise<boolean> => choices.decline(userId),

    /** A deleted avatar of the user whose sidecar does not say so yet. */
    async halfDeleted (userId: UserId): Promise<BlobId | undefined> {
      const row = await querying(() => client.blob.findFirst({ where: { ownerId: userId, kind: 'avatar', state: 'deleted', sidecarDueAt: { not: null } }, select: { id: true } }))
      return row?.id as BlobId | undefined
    },

    /** Keeps a published blob that belongs to nobody yet. */
    keepPending: (sidecar: Sidecar): Promise<void> => committing(client, [sidecar.id], () => client.blob.create({ data: toBlobRow(sidecar) })),

    /** The picture behind a path that an older client was given; an attachment's path is not its business. */
    byAlias: (path: string): Promise<AvatarBlob | null> =>
      querying(async () => {
        const alias = await client.alias.findUnique({ where: { path }, include: { blob: true } })
        return alias?.blob.kind === 'avatar' ? alias.blob : null
      }),
  }
}
