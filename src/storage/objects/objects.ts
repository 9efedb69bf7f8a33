// The contract of an object store: named bytes that are there whole or not at all, in one container. No uploads, no folders, no HTTP.
import type { Readable } from 'node:stream'
import type { ByteRange } from '../store.ts'

/** Names of objects, as the paths of files on a volume, without the prefix of the deployment. */
export type Key = string

export type Found = { readonly key: Key, /** Bytes. */ readonly size: number, readonly modifiedAt: Date }

/** What lies directly below a prefix that ends with a slash, or is empty: objects, and prefixes of what lies deeper, each with its slash. */
export type Level = { readonly objects: readonly Found[], readonly prefixes: readonly string[] }

export type Put = {
  /** Nothing is replaced: with an object of that name there it throws ObjectTaken. Without it, the last one wins. */
  readonly ifAbsent?: boolean
  readonly signal?: AbortSignal
}

/** A file of this machine, whole, of `size` bytes. */
export type SourceFile = {
  readonly path: string
  readonly size: number
  /** Lower-case hex, when it is known: what reaches the store is held against it where the store can do that. */
  readonly sha256?: string
}

/** What the answer to a presigned URL says of the bytes. */
export type PresignedHeaders = { readonly contentType: string, readonly contentDisposition: string, readonly cacheControl: string }

/**
 * Whatever a call throws is ObjectMissing, ObjectTaken, RangeError, ObjectsFull, ObjectsRefused, ObjectsUnavailable, an error of
 * the file that was to be put, or the reason of the signal. A stream that ends has brought everything; one that cannot throws.
 */
export type Objects = {
  /** For people: where this is, without credentials. */
  readonly name: string
  /** Asks for as much as tells whether the container is there and opens to us. @throws ObjectsRefused with what to do, ObjectsUnavailable */
  check (): Promise<void>
  /**
   * Durable when it returns, and never to be seen in part. Of any size. Throws ObjectTaken; on anything else nothing of it stays but what `sweepUnfinished`
   * finds - or all of it, when the store did what was asked and its answer was lost (ObjectsUnavailable), as of any write.
   */
  putFile (key: Key, source: SourceFile, put?: Put): Promise<void>
  /** The same for what is small. */
  putBytes (key: Key, bytes: Buffer, put?: Put): Promise<void>
  /** The bytes, or a range of them, as they come. Throws ObjectMissing before the first byte, and RangeError when the range begins behind the end. */
  read (key: Key, range?: ByteRange): Promise<Readable>
  /** Undefined when it is not there. */
  head (key: Key): Promise<Found | undefined>
  /** Everything below `prefix`, by key, a page at a time; what is put or removed meanwhile may be in it or not. */
  list (prefix: string): AsyncIterable<readonly Found[]>
  /** What lies directly below `prefix`, by key, a page at a time. */
  level (prefix: string): AsyncIterable<Level>
  /** What is not there is no error. */
  remove (key: Key): Promise<void>
  /** Ends uploads in parts that began before `before` and were never completed, and frees their bytes. Returns how many. */
  sweepUnfinished (before: Date): Promise<number>
  /** A URL that opens the object without credentials for `seconds`, with these headers in its answer. */
  presign (key: Key, seconds: number, headers: PresignedHeaders): Promise<string>
  close (): Promise<void>
}

/** There is an object of that name already. */
export class ObjectTaken extends Error {
  override name = 'ObjectTaken'
  readonly code = 'EEXIST'
}

/** There is no object of that name. */
export class ObjectMissing extends Error {
  override name = 'ObjectMissing'
  readonly code = 'ENOENT'
}

/** The store takes no more bytes: a quota of ours, or its disks. */
export class ObjectsFull extends Error {
  override name = 'ObjectsFull'
  readonly code = 'ENOSPC'
}

/** The store does not do this for us as it is set up: its message says what to do. Trying again does not help. */
export class ObjectsRefused extends Error {
  override name = 'ObjectsRefused'
  readonly code = 'EACCES'
}

/** The store could not do it this time: it was not reached, was too slow, or failed. */
export class ObjectsUnavailable extends Error {
  override name = 'ObjectsUnavailable'
  readonly code = 'EIO'
}
