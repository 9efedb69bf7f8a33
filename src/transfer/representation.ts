// What the responder needs to know of a file to serve it. Filled in by the features, from their records.
import type { Readable } from 'node:stream'
import type { Basis } from '../basis.ts'
import type { PresignedHeaders } from '../storage/objects/objects.ts'
import type { OpenFile } from '../storage/fs.ts'
import type { ByteRange } from '../storage/store.ts'

/** A URL of the bytes in another place, that opens for `seconds` with these headers in its answer. */
export type Elsewhere = (seconds: number, headers: PresignedHeaders) => Promise<string>

/** `remembered`: undefined where they are not in memory. */
export type Whole = { remembered (): Buffer | undefined, read (): Promise<Buffer> }

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
  /** All bytes at once, where they are few. */
  readonly whole?: Whole | undefined
  /** A part of many bytes, where it is small: undefined where it is not. */
  readonly part?: ((range: ByteRange) => Whole | undefined) | undefined
  /** The file with just these bytes, where they are many and one can be had. Whoever asks closes it. */
  readonly file?: (() => Promise<OpenFile>) | undefined
  /** What all of this rests on, where that can be told: as long as it holds, who asks the same gets the same. */
  readonly basis?: Basis | undefined
}
