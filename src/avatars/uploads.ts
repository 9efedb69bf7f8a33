// How a picture becomes a user's: received, decoded, durable on the volume, and only then committed; and the same picture cropped anew.
import type { UserId } from '../callers/caller.ts'
import { AvatarNotFound, PictureReplaced, UploadTypeRejected } from '../errors.ts'
import type { Intake } from '../images/intake.ts'
import { formatCrop, type Crop } from '../images/spec.ts'
import { isRefused, nothing, type Alongside } from '../records/commits.ts'
import { namesIn, type Settling } from '../records/sidecars.ts'
import type { Scan } from '../scanning/scan.ts'
import { newBlobId, type BlobId } from '../storage/ids.ts'
import { plain, type Sidecar } from '../storage/sidecar.ts'
import type { Store } from '../storage/store.ts'
import { writeAll } from '../storage/write-all.ts'
import type { ReceivedFile } from '../transfer/receive.ts'
import { avatarTypes, sniff, sniffedBytes } from '../transfer/sniff.ts'
import { present } from './present.ts'
import type { AvatarBlob, AvatarRecords } from './records.ts'
import { createRetiring } from './retiring.ts'
import type { Avatar } from './schema.ts'

export type AvatarUploads = ReturnType<typeof createAvatarUploads>

type Options = {
  store: Store
  records: AvatarRecords
  settling: Settling
  /** Before anything else looks into a file. */
  scan: Scan
  intake: Intake
  /** What holds where an upload does not say. */
  keepsMetadata: boolean
  now: () => Date
  /** Hears of a replaced avatar whose sidecar could not be written; the sweep writes it. */
  warn: (error: unknown, message: string) => void
}

/** The path an older client is given for a picture with this extension. */
export type OldPath = (extension: string) => string

/** How a new avatar came: from whom, for whom (null: nobody yet known), in which epoch, under which old path, with which id if that was chosen before. */
type Origin = { creatorId: UserId | null, ownerId: UserId | null, epoch: number, alias?: OldPath | undefined, id?: BlobId | undefined }

/** What a new version consists of. */
type Picture = Pick<Sidecar, 'contentType' | 'extension' | 'size' | 'sha256' | 'width' | 'height' | 'thumbhash' | 'metadataRemoved' | 'keepsMetadata' | 'crop' | 'scan' | 'scanSignature'>

/** What an upload says of its picture. */
export type Choices = { readonly keepsMetadata?: boolean | undefined, readonly crop?: Crop | undefined }

/** `path`: the old path it got. */
export type SetAvatar = { readonly avatar: Avatar, readonly isFirst: boolean, readonly path: string | undefined }

/** `epoch`: when the upload began; `id`: of its blob, when that was chosen before; `chosenAs`: which choice of the user's it is, when that was made before: when a later one has taken effect, this is kept as an earlier picture; `alongside`: what is committed with it. */
type Setting = { epoch: number, id?: BlobId, alias?: OldPath, accepted?: readonly string[], choices?: Choices, chosenAs?: number | undefined, alongside?: (set: SetAvatar) => Alongside }

/** `epoch`: when it began; `reserve`: before so many bytes are copied, throws when they must not be, and returns what gives back what it set aside; `alongside`: what is committed with it. */
type Recropping = { epoch: number, reserve: (bytes: number) => Promise<() => void>, alongside: Alongside }

export function createAvatarUploads ({ store, records, settling, scan, intake, keepsMetadata: usuallyKeepsMetadata, now, warn }: Options) {
  const retire = createRetiring({ settling, warn })

  /** From staging to durable; no row yet. */
  async function publish (file: ReceivedFile, origin: Origin, accepted: readonly string[], { keepsMetadata, crop }: Choices = {}): Promise<Sidecar> {
    const { contentType, extension } = await sniff(await file.staged.head(sniffedBytes), file.declaredType)
    if (!accepted.includes(contentType)) throw new UploadTypeRejected(accepted.join(', '))
    const scanned = await scan(file.staged)
    const taken = await intake.take(file, { contentType, keepsMetadata: keepsMetadata ?? usuallyKeepsMetadata, mustShow: true })
    try {
      const { size, sha256, facts } = taken
      const sidecar = await describe({ contentType, extension, size, sha256, ...facts, ...scanned, keepsMetadata: keepsMetadata === true, crop: crop === undefined ? null : formatCrop(crop) }, origin)
      await store.publish(taken.staged, sidecar)
      return sidecar
    } finally {
      await taken.staged.discard()
    }
  }

  async function describe (picture: Picture, { creatorId, ownerId, epoch, alias, id = newBlobId() }: Origin): Promise<Sidecar> {
    const at = now().toISOString()
    const stateAt = ownerId === null ? at : (await records.changeTime(ownerId)).toISOString()
    return {
      version: 1, kind: 'avatar', id, creatorId, ownerId, ...plain, ...picture,
      state: ownerId === null ? 'pending' : 'live',
      stateAt, createdAt: at, revision: 1, recordId: null,
      filename: null, visibility: null, contextType: null, contextId: null, alt: null, aliases: alias === undefined ? [] : [alias(picture.extension)], epoch, source: null, sourceSha256: null, originalId: null,
    }
  }

  /** Nothing of a user who was erased meanwhile may stay, and nothing of this has or will have a row. */
  async function takenBack (sidecar: Sidecar, error: unknown): Promise<never> {
    if (isRefused(error)) await store.remove(sidecar)
    throw error
  }

  /** @throws StorageFull; StorageUnavailable also when the bytes are not what they were */
  async function copy (blob: AvatarBlob, sidecar: Sidecar): Promise<void> {
    const room = await store.reserve(sidecar.size)
    try {
      const staged = await store.stage()
      try {
        const write = async (chunk: Buffer) => {
          await staged.write(chunk)
          room.consume(chunk.length)
        }
        await writeAll({ write }, await store.read({ kind: 'avatar', id: blob.id as BlobId, extension: blob.extension }))
        await staged.finish()
        await store.publish(staged, sidecar)
      } finally {
        await staged.discard()
      }
    } finally {
      room.release()
    }
  }

  return {
    /** Sets `userId`'s avatar to the staged file, which is used up. @throws OwnerErased */
    async set (creatorId: UserId, userId: UserId, file: ReceivedFile, { epoch, id, alias, accepted = avatarTypes, choices, chosenAs, alongside = () => nothing }: Setting): Promise<SetAvatar> {
      const sidecar = await publish(file, { creatorId, ownerId: userId, epoch, alias, id }, accepted, choices)
      const avatar = present(userId, sidecar)
      const path = sidecar.aliases[0]
      const committed = (isFirst: boolean) => alongside({ avatar, isFirst, path })
      const replaced = await records.set(userId, sidecar, { chosenAs, alongside: committed }).catch(async (error: unknown) => {
        if (chosenAs === undefined || !(error instanceof PictureReplaced)) throw error
        await records.keepEarlier(userId, sidecar, committed(false))
        return sidecar.id
      }).catch((error: unknown) => takenBack(sidecar, error))
      await retire(replaced)
      return { avatar, isFirst: replaced === undefined, path }
    },

    /** Keeps a picture of nobody yet known, for the one who names its old path. */
    async keepPending (file: ReceivedFile, { epoch, alias, accepted }: { epoch: number, alias: OldPath, accepted: readonly string[] }): Promise<{ size: number, path: string | undefined }> {
      const sidecar = await publish(file, { creatorId: null, ownerId: null, epoch, alias }, accepted)
      await records.keepPending(sidecar)
      return { size: sidecar.size, path: sidecar.aliases[0] }
    },

    /** The same picture as a new version that shows another part; null: what the gateway chooses. @throws AvatarNotFound when there is none, PictureReplaced when it was replaced meanwhile, OwnerErased, and what `reserve` and `alongside` refuse for */
    async recrop (creatorId: UserId, userId: UserId, crop: Crop | null, { epoch, reserve, alongside }: Recropping): Promise<Avatar> {
      const blob = await records.current(userId)
      if (blob === null) throw new AvatarNotFound()
      const { contentType, extension, sha256, width, height, thumbhash, metadataRemoved, keepsMetadata, scan, scanSignature } = blob
      const size = Number(blob.size)
      const giveBack = await reserve(size)
      try {
        const picture = { contentType, extension, size, sha256, width, height, thumbhash, metadataRemoved: namesIn(metadataRemoved), keepsMetadata, crop: crop && formatCrop(crop), scan: scan as Sidecar['scan'], scanSignature }
        // The bytes are no younger than they were: an erasure that began after them, and before this, is of them too.
        const sidecar = await describe(picture, { creatorId, ownerId: userId, epoch: Math.min(epoch, blob.epoch) })
        await copy(blob, sidecar)
        const replaced = await records.set(userId, sidecar, { expected: blob.id as BlobId, alongside: () => alongside }).catch((error: unknown) => takenBack(sidecar, error))
        await retire(replaced)
        return present(userId, sidecar)
      } finally {
        giveBack()
      }
    },
  }
}
