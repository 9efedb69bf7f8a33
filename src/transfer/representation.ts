// What the responder needs to know of a file to serve it. Filled in by the features, from their records.
import type { Readable } from 'node:stream'
import type { ByteRange } from '../storage/store.ts'

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
  read (range?: ByteRange): Promise<Readable>
}
