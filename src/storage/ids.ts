// Ids of blobs. Branded, so that no string of a client can ever become part of a path.
import { v7, validate, version } from 'uuid'

export type BlobId = string & { readonly brand: 'BlobId' }

/** Of a resumable upload. */
export type UploadId = string & { readonly brand: 'UploadId' }

/** A fresh UUIDv7 (RFC 9562 section 5.7): its first 48 bits are the time, in milliseconds since 1970. */
export function newBlobId (): BlobId {
  return v7() as BlobId
}

/** A fresh UUIDv7 for a record, so that sorting by id is sorting by time. */
export function newRecordId (): string {
  return v7()
}

export const newUploadId = (): UploadId => v7() as UploadId

/** The id that `text` is, in the one spelling the gateway uses; undefined when it is none. */
export function asBlobId (text: string): BlobId | undefined {
  return isOwnId(text) ? text as BlobId : undefined
}

export const asUploadId = (text: string): UploadId | undefined => isOwnId(text) ? text as UploadId : undefined

const isOwnId = (text: string): boolean => validate(text) && version(text) === 7 && text === text.toLowerCase()

/** When the id was made. */
export function timeOf (id: BlobId | UploadId): Date {
  return new Date(parseInt(id.slice(0, 8) + id.slice(9, 13), 16))
}
