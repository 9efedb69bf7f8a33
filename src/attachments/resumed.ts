// Resumable uploads that become attachments: what may be said of them, and how they are kept when they are complete.
import type { Caller, UserId } from '../callers/caller.ts'
import { checkedFields } from '../plugins/form-fields.ts'
import type { CountUpload } from '../plugins/upload-count.ts'
import type { Alongside } from '../records/commits.ts'
import { errnoOf } from '../storage/failures.ts'
import type { BlobId } from '../storage/ids.ts'
import type { ReceivedFile } from '../transfer/receive.ts'
import { AttachmentSchema, particularNames, ParticularsSchema, type Attachment } from './schema.ts'
import type { Attachments } from './service.ts'
import type { AttachmentUploads } from './uploads.ts'

type Completed = { creator: Caller, ownerId: UserId, file: ReceivedFile, blobId: BlobId, recordId: string, epoch: number, alongside: Alongside }

type Options = { attachments: Pick<Attachments, 'get'>, uploads: AttachmentUploads, counting: CountUpload, maxBytes: number }

export function createResumedAttachments ({ attachments, uploads, counting, maxBytes }: Options) {
  const urlOf = ({ recordId }: { recordId: string }): string => `/api/attachments/${recordId}`
  return {
    maxBytes,
    names: particularNames,
    schema: AttachmentSchema,
    urlOf,

    check (fields: Readonly<Record<string, string>>): void {
      uploads.check(checkedFields(ParticularsSchema, fields))
    },

    async keep ({ creator, ownerId, file, blobId, recordId, epoch, alongside }: Completed): Promise<void> {
      const particulars = { ...checkedFields(ParticularsSchema, file.fields), ownerId }
      await counting(() => uploads.create(creator, [{ file, particulars, ids: { blobId, recordId } }], epoch, () => alongside), ([kept]) => kept?.size)
    },

    show: (caller: Caller, { recordId }: { recordId: string }): Promise<Attachment | undefined> =>
      attachments.get(caller, recordId).catch((error: unknown) => {
        if (errnoOf(error) !== 'ATTACHMENT_NOT_FOUND') throw error
        return undefined
      }),
  }
}
