// The rules of avatars, and the order of their steps: one current picture per user, replaced but never overwritten.
import type { UserId } from '../callers/caller.ts'
import { AvatarNotFound, AvatarUrlRejected } from '../errors.ts'
import type { Settling } from '../records/sidecars.ts'
import type { BlobId } from '../storage/ids.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { Representation } from '../transfer/representation.ts'
import { presentRow } from './present.ts'
import type { AvatarBlob, AvatarRecords } from './records.ts'
import { createRetiring } from './retiring.ts'
import type { Avatar, Version } from './schema.ts'
import { immutable, revalidated, type Show } from './showing.ts'
import type { View } from './view.ts'

/** How many earlier pictures can be gone back to. */
const undoSteps = 5

export type Avatars = ReturnType<typeof createAvatars>

type Options = {
  records: AvatarRecords
  settling: Settling
  show: Show
  /** Hears of a replaced avatar whose sidecar could not be written; the sweep writes it. */
  warn: (error: unknown, message: string) => void
}

export function createAvatars ({ records, settling, show, warn }: Options) {
  const retire = createRetiring({ settling, warn })

  /** Makes a picture that is there already, in one of these states, the current one. False when it was purged, or taken, meanwhile. */
  async function adopt (userId: UserId, blob: AvatarBlob, states: ReadonlyArray<Sidecar['state']>, epoch = blob.epoch): Promise<boolean> {
    const id = blob.id as BlobId
    const adopted = await records.adopt(userId, id, states, epoch)
    if (adopted === undefined) return false
    await settling.settle(id)
    await retire(adopted.replaced)
    return true
  }

  const isShown = async (blob: AvatarBlob): Promise<boolean> => ['live', 'pending', 'superseded'].includes(blob.state) && !await records.isHidden(blob)

  /** Current, and by its user. What an import made current is so since the day it was made, and a later import replaces it. */
  const isChosen = ({ state, source, stateAt, createdAt }: AvatarBlob): boolean =>
    state === 'live' && (source === null || stateAt.getTime() !== createdAt.getTime())

  return {
    /** Makes the picture behind an old URL the user's current avatar. @throws AvatarUrlRejected unless it is theirs or pending; OwnerErased */
    async claim (userId: UserId, alias: string, epoch: number): Promise<void> {
      const blob = await records.byAlias(alias)
      if (blob === null || (blob.ownerId !== userId && blob.state !== 'pending')) throw new AvatarUrlRejected()
      // Also after an answer that was an error: it is there, and only its sidecar may be owed (I4).
      if (isChosen(blob)) return settling.settle(blob.id)
      // What nobody owned becomes theirs only now.
      const isClaimed = blob.state === 'pending' ? adopt(userId, blob, ['pending'], epoch) : adopt(userId, blob, ['live', 'superseded'])
      if (!await isClaimed) throw new AvatarUrlRejected()
    },

    async current (userId: UserId, view?: View): Promise<Representation> {
      const blob = await records.current(userId)
      if (blob === null) throw new AvatarNotFound()
      return show(blob, { lastModified: blob.stateAt, cacheControl: revalidated, basis: records.basisOf(blob) }, view)
    },

    /** One that was not purged; undefined otherwise. */
    async describe (userId: UserId, id: BlobId): Promise<Avatar | undefined> {
      const blob = await records.kept(userId, id)
      return blob === null ? undefined : presentRow(userId, blob)
    },

    async version (userId: UserId, id: BlobId, view?: View): Promise<Representation> {
      const blob = await records.shownVersion(userId, id)
      if (blob === null) throw new AvatarNotFound()
      return show(blob, { lastModified: blob.createdAt, cacheControl: immutable, basis: records.basisOf(blob) }, view)
    },

    /** What an older client's URL shows: also a picture that is pending or was replaced since. Undefined when it is no avatar's. */
    async behind (alias: string, view?: View): Promise<Representation | undefined> {
      const blob = await records.byAlias(alias)
      if (blob === null || !await isShown(blob)) return undefined
      return show(blob, { lastModified: blob.createdAt, cacheControl: revalidated }, view)
    },

    has: async (userId: UserId): Promise<boolean> => await records.current(userId) !== null,

    /** The user's pictures that are not purged yet, the newest change first: the current one and at most `undoSteps` others. */
    async versions (userId: UserId): Promise<Version[]> {
      const [current, earlier] = await Promise.all([records.current(userId), records.earlier(userId, undoSteps)])
      return [...(current === null ? [] : [current]), ...earlier].map((blob) => ({ ...presentRow(userId, blob), isCurrent: blob.state === 'live' }))
    },

    /** Makes an earlier picture, replaced or deleted, the current one again. @throws AvatarNotFound when it is not there any more */
    async restore (userId: UserId, id: BlobId): Promise<Avatar> {
      let blob = await records.kept(userId, id)
      if (blob !== null && isChosen(blob)) {
        // What waits would else take its place; what did so just before is replaced now.
        await records.decline(userId)
        blob = await records.kept(userId, id)
      }
      const isDone = blob !== null && (isChosen(blob) || await adopt(userId, blob, ['live', 'superseded', 'deleted']))
      const restored = await records.kept(userId, id)
      // What was done and is replaced again since was done all the same.
      if (restored === null || !(isDone || restored.state === 'live')) throw new AvatarNotFound()
      // Also when another request made it the current one, or an earlier one was answered with an error (I4).
      await settling.settle(id)
      return presentRow(userId, restored)
    },

    /** Back from the trash as an earlier picture, for as long as one that was replaced just now; the current one stays. @throws AvatarNotFound */
    async retain (userId: UserId, id: BlobId): Promise<void> {
      const blob = await records.kept(userId, id)
      if (blob === null) throw new AvatarNotFound()
      if (blob.state !== 'live' && !await records.retain(userId, id, blob.state as Sidecar['state'])) throw new AvatarNotFound()
      await settling.settle(id)
    },

    /** To the trash; nor does what waits become their picture. @throws AvatarNotFound when there is neither */
    async remove (userId: UserId): Promise<void> {
      let removed = await records.remove(userId)
      const isDeclined = removed === undefined && await records.decline(userId)
      // What was finished just before that is their picture. A delete whose sidecar failed was answered with an error: asking again finishes it (I4).
      removed ??= await records.remove(userId) ?? await records.halfDeleted(userId)
      if (removed !== undefined) await settling.settle(removed)
      else if (!isDeclined) throw new AvatarNotFound()
    },
  }
}
