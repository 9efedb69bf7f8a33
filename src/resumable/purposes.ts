// What resumable uploads are for, by kind: each feature says what may be said of its files, and keeps them when they are complete.
import type { Caller, UserId } from '../callers/caller.ts'
import type { Alongside } from '../records/commits.ts'
import type { BlobId } from '../storage/ids.ts'
import type { ReceivedFile } from '../transfer/receive.ts'
import type { Purpose } from './finishing.ts'
import { fieldsIn, fileIn, metadataIn } from './metadata.ts'
import type { Upload } from './records.ts'

/** What a feature is handed: the file, used up or left to the caller, and under which ids it is to be kept, if it is. */
export type Completed = {
  readonly creator: Caller
  readonly ownerId: UserId
  readonly file: ReceivedFile
  readonly blobId: BlobId
  readonly recordId: string
  /** How many erasures there had been when the upload began. */
  readonly epoch: number
  /** Which of the owner's choices of a picture it is: it may be kept much later. Undefined for an attachment. */
  readonly choice: number | undefined
  /** What is committed with it. */
  readonly alongside: Alongside
}

export type Feature = {
  readonly maxBytes: number
  /** Of what is handed over of the metadata. */
  readonly names: readonly string[]
  /** @throws when what is said of the file cannot be */
  check (fields: Readonly<Record<string, string>>): void
  keep (completed: Completed): Promise<void>
  /** Where it is in the API. */
  urlOf (upload: Upload): string
  /** As its JSON; undefined when it is not there any more. */
  show (caller: Caller, upload: Upload): Promise<object | undefined>
  /** Of that. */
  readonly schema: object
}

export type Features = Readonly<Record<'attachment' | 'avatar', Feature>>

/** What the metadata says to the feature. */
export function fieldsOf ({ names }: Feature, header: string | undefined): Record<string, string> {
  return fieldsIn(metadataIn(header), names)
}

export function purposeOf (features: Features): Purpose {
  // Parts are for others, and are never finished by themselves.
  const featureOf = ({ kind }: Upload): Feature => features[kind === 'avatar' ? 'avatar' : 'attachment']
  return {
    fileOf: (upload) => ({ ...fileIn(metadataIn(upload.metadata)), fields: fieldsOf(featureOf(upload), upload.metadata) }),
    finish: (upload, file, alongside) => {
      const { creator, ownerId, blobId, recordId, erasureEpoch: epoch, choice } = upload
      return featureOf(upload).keep({ creator, ownerId, file, blobId, recordId, epoch, choice, alongside })
    },
  }
}
