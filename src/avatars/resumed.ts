// Resumable uploads that become avatars: what may be said of them, and how they are kept when they are complete.
import type { Caller, UserId } from '../callers/caller.ts'
import { checkedFields } from '../plugins/form-fields.ts'
import type { CountUpload } from '../plugins/upload-count.ts'
import type { Alongside } from '../records/commits.ts'
import type { BlobId } from '../storage/ids.ts'
import type { ReceivedFile } from '../transfer/receive.ts'
import { choicesIn, PictureFields } from './choices.ts'
import { avatarUrl } from './present.ts'
import { AvatarSchema, type Avatar } from './schema.ts'
import type { Avatars } from './service.ts'
import type { AvatarUploads } from './uploads.ts'

type Completed = { creator: Caller, ownerId: UserId, file: ReceivedFile, blobId: BlobId, epoch: number, choice: number | undefined, alongside: Alongside }
type Kept = { ownerId: UserId, blobId: BlobId }

type Options = { avatars: Pick<Avatars, 'describe'>, uploads: AvatarUploads, counting: CountUpload, maxBytes: number }

export function createResumedAvatars ({ avatars, uploads, counting, maxBytes }: Options) {
  return {
    maxBytes,
    names: Object.keys(PictureFields.properties),
    schema: AvatarSchema,
    urlOf: ({ ownerId }: Pick<Kept, 'ownerId'>): string => avatarUrl(ownerId),

    check (fields: Readonly<Record<string, string>>): void {
      choicesIn(checkedFields(PictureFields, fields))
    },

    /** As an earlier picture when the user has decided otherwise since all bytes were there, which may be days ago. */
    async keep ({ creator, ownerId, file, blobId, epoch, choice, alongside }: Completed): Promise<void> {
      const choices = choicesIn(checkedFields(PictureFields, file.fields))
      await counting(() => uploads.set(creator.id, ownerId, file, { epoch, choices, id: blobId, chosenAs: choice, alongside: () => alongside }), ({ avatar }) => avatar.size)
    },

    show: (_caller: Caller, { ownerId, blobId }: Kept): Promise<Avatar | undefined> => avatars.describe(ownerId, blobId),
  }
}
