// The contract of every home that bytes can have: what the features ask of storage. No HTTP, no users, no database.
import type { Readable } from 'node:stream'
import type { OpenFile } from './fs.ts'
import type { BlobId } from './ids.ts'
import type { PresignedHeaders } from './objects/objects.ts'
import type { Sidecar } from './sidecar.ts'
import type { Whole } from './volume/adopted-file.ts'

export type Kind = 'avatar' | 'attachment'

/** Where a blob is: its path is a pure function of these three. */
export type BlobAddress = { readonly kind: Kind, readonly id: BlobId, readonly extension: string }

/** First and last byte, both included, as in RFC 9110 section 14. */
export type ByteRange = { readonly start: number, readonly end: number }

/** Bytes in flight, not yet visible to anyone. Exactly one of publish and discard ends it. */
export type StagedFile = {
  /** A file of this machine with the bytes, to be read after finish by who needs a file. */
  readonly path: string
  /** Bytes written so far. */
  readonly size: number
  /** Appends a chunk; await it before the next. Throws StorageFull, StorageUnavailable. */
  write (chunk: Buffer): Promise<void>
  /** No more bytes will come. Returns the size in bytes and the lower-case hex sha-256 of what was written. */
  finish (): Promise<{ size: number, sha256: string }>
  /** Up to `length` bytes from the start, after finish. */
  head (length: number): Promise<Buffer>
  /** Removes the bytes; never throws, and does nothing once published. */
  discard (): Promise<void>
}

/** What an upload that is about to arrive may take of the free space; release it when the upload is over. */
export type Reservation = {
  /** So many of the bytes have come, and count as free space no longer. */
  consume (bytes: number): void
  release (): void
}

/** A file of this machine with the bytes of a blob, not to be written to. Release it, which does not fail, when it is not needed any more. */
export type LocalFile = {
  readonly path: string
  /** Whether the blob still is, also after the release: once it is gone, nothing that was made of it is kept. */
  isThere (): Promise<boolean>
  release (): Promise<void>
}

export type Store = {
  /** Sets `bytes` of free space aside before a body is read. Throws StorageFull when the reserve would be touched. */
  reserve (bytes: number): Promise<Reservation>
  stage (): Promise<StagedFile>
  /** A file whose bytes are durable already, finished; it stays under its own name, too. Undefined where that cannot be, or it is not what it was. */
  adopt? (whole: Whole): Promise<StagedFile | undefined>
  /** I1, I2: returns only when blob and sidecar are whole and durable under their final names. */
  publish (staged: StagedFile, sidecar: Sidecar): Promise<void>
  /** Replaces the sidecar durably; I4. */
  writeSidecar (sidecar: Sidecar): Promise<void>
  /** Undefined when there is none or it is damaged. */
  readSidecar (address: BlobAddress): Promise<Sidecar | undefined>
  /** The bytes of a blob, or a range of them. Throws StorageUnavailable when the blob is missing: a row said it is there. */
  read (address: BlobAddress, range?: ByteRange): Promise<Readable>
  /** All `size` bytes of a small one at once. Nobody may change them: others may have them too. Throws as `read` does, and StorageUnavailable when there are more or fewer. */
  readWhole? (address: BlobAddress, size: number): Promise<Buffer>
  /** The same, where they are in memory. */
  remembered? (address: BlobAddress): Buffer | undefined
  /** A small part of one that has `size` bytes, as `readWhole`. */
  readPart? (address: BlobAddress, size: number, range: ByteRange): Promise<Buffer>
  /** The same, where it is in memory. */
  rememberedPart? (address: BlobAddress, range: ByteRange): Buffer | undefined
  /** The file of a blob of `size` bytes, to be read in parts by who closes it. Throws as `readWhole` does. */
  openFile? (address: BlobAddress, size: number): Promise<OpenFile>
  /** For what reads files and not streams. That the blob is missing is found by who opens it. */
  localFile (address: BlobAddress): Promise<LocalFile>
  /** Where the home can be read without the gateway: a URL that opens the blob for `seconds`, with these headers in its answer. */
  presign? (address: BlobAddress, seconds: number, headers: PresignedHeaders): Promise<string>
  /** Sidecar first, then blob; what is not there is no error. */
  remove (address: BlobAddress): Promise<void>
  /** The same, and no power cut brings it back. */
  removeForGood (address: BlobAddress): Promise<void>
}
