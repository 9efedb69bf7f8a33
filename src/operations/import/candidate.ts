// What an import brings, one file at a time: a candidate, or the reason why there is none.
import type { Kind } from '../../storage/store.ts'

/** Why a file is not imported. */
export type RefusalCode =
  | 'missing' | 'symlink' | 'special' | 'unreadable' | 'bad-path' | 'hidden' | 'changing'
  | 'not-named' | 'elsewhere' | 'ownerless' | 'bad-owner' | 'bad-entry' | 'broken-base64' | 'empty'
  | 'too-large' | 'wrong-type' | 'damaged-picture' | 'picture-too-large' | 'not-looked-at' | 'path-taken' | 'owner-differs' | 'read-back'

export type Candidate = {
  readonly kind: Kind
  /** Where it comes from; the same in every run. */
  readonly source: string
  readonly ownerId: string
  /** Nobody is known to own it: it is kept for whom --owner names. */
  readonly isOwnerless: boolean
  /** Under which it was served; and which of the older system's clients still know. */
  readonly paths: readonly string[]
  readonly createdAt: Date
  /** False: that is not known, and taken to be now. */
  readonly isDated: boolean
  /** What is to be known of it beside its bytes. */
  readonly notes: readonly string[]
  readonly declaredType: string | undefined
  readonly filename: string | undefined
  /** Null for an avatar. */
  readonly visibility: 'public' | 'private' | null
  readonly contextType: string | null
  readonly contextId: string | null
  /** The bytes, from the first. @throws Unimportable, OldFileRefused */
  readonly read: (maxBytes: number) => AsyncIterable<Buffer>
}

/** Of something that was found, but cannot be a candidate. */
export type Refused = {
  readonly source: string
  readonly code: RefusalCode
  readonly reason: string
  readonly kind?: Kind
  readonly ownerId?: string
  readonly paths?: readonly string[]
  /** Bytes, where known. */
  readonly size?: number
}

export type Found = Candidate | Refused

/** One of the older systems' stores. */
export type Reader = {
  /** How many there will be; undefined when that cannot be known beforehand. */
  count (): Promise<number | undefined>
  found (): AsyncIterable<Found>
}

/** Why the bytes of a candidate cannot be imported: the rest of a sentence. */
export class Unimportable extends Error {
  override name = 'Unimportable'
  readonly code: RefusalCode
  /** Bytes, where known. */
  readonly size: number | undefined

  constructor (code: RefusalCode, reason: string, { size, ...options }: ErrorOptions & { size?: number | undefined } = {}) {
    super(reason, options)
    this.code = code
    this.size = size
  }
}

export const tooLarge = (maxBytes: number, size?: number): Unimportable => new Unimportable('too-large', `it is larger than ${maxBytes} bytes, the most that is taken`, { size })
