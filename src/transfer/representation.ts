// What the responder needs to know of a file to serve it. Filled in by the features, from their records.
import type { Readable } from 'node:stream'
import type { PresignedHeaders } from '../storage/objects/objects.ts'
import type { ByteRange } from '../storage/store.ts'

/** A URL of the bytes in another place, that opens for `seconds` with these headers in its answer. */
export type Elsewhere = (seconds: number, headers: PresignedHeaders) => Promise<string>

export type Representation = {
  /** Bytes. */
  readonly size: number
  /** Lower-case hex; the strong ETag is made of it. */
  readonly sha256: string
  readonly lastModified: Date
  readonly contentType: string
  readonly cacheControl: string
  /** Anyone with the URL may read it, from any site. */
  readonly isPublic: boolean
  /** The name to save it under. */
  readonly filename?: string
  /** Ask browsers to save rather than show. */
  readonly asDownload?: boolean
  /** Where clients are to get the bytes instead of here. */
  readonly elsewhere?: Elsewhere | undefined
  read (range?: ByteRange): Promise<Readable>
}
