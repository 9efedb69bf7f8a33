// The rules of avatars, and the order of their steps: one current picture per user, replaced but never overwritten.
import type { UserId } from '../callers/caller.ts'
import { AvatarNotFound, AvatarUrlRejected, UploadTypeRejected } from '../errors.ts'
import { measure } from '../images/measure.ts'
import { isOwnerErased } from '../records/commits.ts'
import type { Settling } from '../records/sidecars.ts'
import { newBlobId, type BlobId } from '../storage/ids.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { Store } from '../storage/store.ts'
import type { ReceivedFile } from '../transfer/receive.ts'
import type { Representation } from '../transfer/representation.ts'
import { avatarTypes, sniff } from '../transfer/sniff.ts'
import type { AvatarBlob, AvatarRecords } from './records.ts'
import type { Avatar, Version } from './schema.ts'

/** Revalidated each time: a 304 is cheap, a stale face is not. */
const revalidated = 'public, no-cache'
const immutable = 'public, max-age=31536000, immutable'

/** How many earlier pictures can be gone back to. */
const undoSteps = 5

export const avatarUrl = (userId: string): string => `/api/avatars/${userId}`

export type Avatars = ReturnType<typeof createAvatars>

type Options = {
  store: Store
  records: AvatarRecords
  settling: Settling
  now: () => Date
  /** Hears of a replaced avatar whose sidecar could not be written; the sweep writes it. */
  warn: (error: unknown, message: string) => void
}

/** The path an older client is given for a picture with this extension. */
export type OldPath = (extension: string) => string

/** How a new avatar came: from whom, for whom (null: nobody yet known), in which epoch, under which old path. */
type Origin = { creatorId: UserId | null, ownerId: UserId | null, epoch: number, alias?: OldPath | undefined }

export function createAvatars ({ store, records, settling, warn, now }: Options) {
  /** From staging to durable; no row yet. */
  async function publish (file: ReceivedFile, { creatorId, ownerId, epoch, alias }: Origin, accepted: readonly string[]): Promise<Sidecar & { width: number, height: number }> {
    const head = await file.staged.head(file.size)
    const { contentType, extension } = await sniff(head, file.declaredType)
    if (!accepted.includes(contentType)) throw new UploadTypeRejected(accepted.join(', '))
    const { width, height } = await measure(head)
    const id = newBlobId()
    const at = now().toISOString()
    const stateAt = ownerId === null ? at : (await records.changeTime(ownerId)).toISOString()
    const sidecar = {
      version: 1 as const, kind: 'avatar' as const, id, extension, creatorId, ownerId, contentType, width, height,
      state: ownerId === null ? 'pending' as const : 'live' as const,
      stateAt, createdAt: at, revision: 1, recordId: null, size: file.size, sha256: file.sha256,
      filename: null, visibility: null, contextType: null, contextId: null, alt: null, aliases: alias === undefined ? [] : [alias(extension)], epoch, source: null, sourceSha256: null,
    }
    await store.publish(file.staged, sidecar)
    return sidecar
  }

  /** Nothing of a user who was erased meanwhile may stay, and nothing of this has or will have a row. */
  async function takenBack (sidecar: Sidecar, error: unknown): Promise<never> {
    if (isOwnerErased(error)) await store.remove(sidecar)
    throw error
  }

  /** The new picture is durable and committed: the old one's sidecar may follow later, but normally it is now. */
  async function retire (replaced: BlobId | undefined): Promise<void> {
    if (replaced === undefined) return
    await settling.settle(replaced).catch((error: unknown) => warn(error, 'the sidecar of a replaced avatar was not written yet'))
  }

  /** Makes a picture that is there already, in one of these states, the current one. False when it was purged, or taken, meanwhile. */
  async function adopt (userId: UserId, blob: AvatarBlob, states: ReadonlyArray<Sidecar['state']>, epoch = blob.epoch): Promise<boolean> {
    const id = blob.id as BlobId
    const adopted = await records.adopt(userId, id, states, epoch)
    if (adopted === undefined) return false
    await settling.settle(id)
    await retire(adopted.replaced)
    return true
  }

  /** Who removes their picture means all of them: what it had replaced is shown no more, though it can be gone back to. */
  async function isShown ({ state, stateAt, ownerId }: AvatarBlob): Promise<boolean> {
    if (state === 'superseded') return !await records.isRemovedSince(ownerId, stateAt)
    return state === 'live' || state === 'pending'
  }

  /** Current, and by its user. What an import made current is so since the day it was made, and a later import replaces it. */
  const isChosen = ({ state, source, stateAt, createdAt }: AvatarBlob): boolean =>
    state === 'live' && (source === null || stateAt.getTime() !== createdAt.getTime())

  const represent = (blob: AvatarBlob, lastModified: Date, cacheControl: string): Representation => ({
    size: Number(blob.size), sha256: blob.sha256, contentType: blob.contentType, lastModified, cacheControl, isPublic: true,
    read: (range) => store.read({ kind: 'avatar', id: blob.id as BlobId, extension: blob.extension }, range),
  })

  return {
    /** Sets `userId`'s avatar to the staged file, which is used up. `epoch`: when the upload began. @throws OwnerErased */
    async set (creatorId: UserId, userId: UserId, file: ReceivedFile, { epoch, alias, accepted = avatarTypes }: { epoch: number, alias?: OldPath, accepted?: readonly string[] }): Promise<{ avatar: Avatar, isFirst: boolean, path: string | undefined }> {
      const sidecar = await publish(file, { creatorId, ownerId: userId, epoch, alias }, accepted)
      const replaced = await records.set(userId, sidecar).catch((error: unknown) => takenBack(sidecar, error))
      await retire(replaced)
      return { avatar: present(userId, sidecar), isFirst: replaced === undefined, path: sidecar.aliases[0] }
    },

    /** Keeps a picture of nobody yet known, for the one who names its old path. */
    async keepPending (file: ReceivedFile, { epoch, alias, accepted }: { epoch: number, alias: OldPath, accepted: readonly string[] }): Promise<{ size: number, path: string | undefined }> {
      const sidecar = await publish(file, { creatorId: null, ownerId: null, epoch, alias }, accepted)
      await records.keepPending(sidecar)
      return { size: sidecar.size, path: sidecar.aliases[0] }
    },

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

    async current (userId: UserId): Promise<Representation> {
      const blob = await records.current(userId)
      if (blob === null) throw new AvatarNotFound()
      return represent(blob, blob.stateAt, revalidated)
    },

    async version (userId: UserId, id: BlobId): Promise<Representation> {
      const blob = await records.version(userId, id)
      if (blob === null || !await isShown(blob)) throw new AvatarNotFound()
      return represent(blob, blob.createdAt, immutable)
    },

    /** What an older client's URL shows: also a picture that is pending or was replaced since. Undefined when it is no avatar's. */
    async behind (alias: string): Promise<Representation | undefined> {
      const blob = await records.byAlias(alias)
      if (blob === null || !await isShown(blob)) return undefined
      return represent(blob, blob.createdAt, revalidated)
    },

    has: async (userId: UserId): Promise<boolean> => await records.current(userId) !== null,

    /** The user's pictures that are not purged yet, the newest change first: the current one and at most `undoSteps` others. */
    async versions (userId: UserId): Promise<Version[]> {
      const [current, earlier] = await Promise.all([records.current(userId), records.earlier(userId, undoSteps)])
      return [...(current === null ? [] : [current]), ...earlier].map((blob) => ({ ...presentRow(userId, blob), isCurrent: blob.state === 'live' }))
    },

    /** Makes an earlier picture, replaced or deleted, the current one again. @throws AvatarNotFound when it is not there any more */
    async restore (userId: UserId, id: BlobId): Promise<Avatar> {
      const blob = await records.kept(userId, id)
      if (blob === null) throw new AvatarNotFound()
      if (!isChosen(blob)) await adopt(userId, blob, ['live', 'superseded', 'deleted'])
      const restored = await records.kept(userId, id)
      if (restored?.state !== 'live') throw new AvatarNotFound()
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

    /** To the trash. @throws AvatarNotFound when there is none */
    async remove (userId: UserId): Promise<void> {
      // A delete whose sidecar failed was answered with an error: asking again finishes it (I4).
      const removed = await records.remove(userId) ?? await records.halfDeleted(userId)
      if (removed === undefined) throw new AvatarNotFound()
      await settling.settle(removed)
    },
  }
}

type Presentable = Pick<Sidecar, 'contentType' | 'size' | 'sha256' | 'stateAt'> & { id: string, width: number, height: number }

function present (userId: UserId, { id, contentType, size, width, height, sha256, stateAt }: Presentable): Avatar {
  return {
    userId, avatarUrl: avatarUrl(userId), versionedUrl: `${avatarUrl(userId)}/${id}`, version: id,
    contentType, size, width, height, sha256, thumbhash: null, metadataRemoved: [], updatedAt: stateAt,
  }
}

function presentRow (userId: UserId, blob: AvatarBlob): Avatar {
  return present(userId, { ...blob, size: Number(blob.size), width: blob.width ?? 0, height: blob.height ?? 0, stateAt: blob.stateAt.toISOString() })
}
