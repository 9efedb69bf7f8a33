// The small JSON file beside each blob that says what it is, so that the volume alone can rebuild every record (I9).
import { createHash } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/schema'
import { lastEpoch } from './erasures.ts'
import type { BlobId } from './ids.ts'

/** What the columns hold, and a JSON number to the last digit: of what is larger no record could be made. */
const maxSize = 2 ** 52
const maxCount = lastEpoch

const nullableText = Type.Union([Type.String(), Type.Null()])
const nullableCount = Type.Union([Type.Integer({ minimum: 0, maximum: maxCount }), Type.Null()])

const SidecarSchema = Type.Object({
  /** Of this format. */
  version: Type.Literal(1),
  kind: Type.Enum(['avatar', 'attachment']),
  id: Type.Unsafe<BlobId>(Type.String()),
  extension: Type.String(),
  /** trash is `superseded` or `deleted`; `pending` is an avatar of nobody yet known. */
  state: Type.Enum(['live', 'pending', 'superseded', 'deleted']),
  stateAt: Type.String(),
  createdAt: Type.String(),
  /** Counts the changes of this sidecar; the row says which one is due. */
  revision: Type.Integer({ minimum: 1, maximum: maxCount }),
  /** The attachment's id; null for an avatar, which is found by its owner. */
  recordId: nullableText,
  ownerId: nullableText,
  /** Who sent it: the owner, or a service for them; null when nobody was known. */
  creatorId: nullableText,
  contentType: Type.String(),
  /** Bytes. */
  size: Type.Integer({ minimum: 0, maximum: maxSize }),
  /** Lower-case hex. */
  sha256: Type.String(),
  width: nullableCount,
  height: nullableCount,
  filename: nullableText,
  visibility: nullableText,
  contextType: nullableText,
  contextId: nullableText,
  alt: nullableText,
  /** Paths that older clients were given for this blob. */
  aliases: Type.Array(Type.String()),
  /** Erasures there had been when the upload began; one that came later, of its owner, erases it. Absent in the oldest: 0. */
  epoch: Type.Optional(Type.Integer({ minimum: 0, maximum: maxCount })),
  /** Where an import had it from, and the sha-256 it had there. Absent in the oldest: null. */
  source: Type.Optional(nullableText),
  sourceSha256: Type.Optional(nullableText),
  /** Base64; null for what is no picture that can be decoded. Absent in the oldest, as all that follows: null. */
  thumbhash: Type.Optional(nullableText),
  /** Names of the personal metadata that was taken out; null where nobody looked for any. */
  metadataRemoved: Type.Optional(Type.Union([Type.Array(Type.String({ pattern: '^[a-z]{1,32}$' })), Type.Null()])),
  /** Whoever uploaded it asked for that. Absent in the oldest: false. */
  keepsMetadata: Type.Optional(Type.Boolean()),
  /** Of an avatar: what of the picture its square variants show, as x,y,width,height in parts of it. */
  crop: Type.Optional(nullableText),
  /** Of a copy without metadata: the blob in whose place it is. */
  originalId: Type.Optional(nullableText),
  /** Ids of users who may read it beside the owner. Absent in the oldest: none. */
  readers: Type.Optional(Type.Array(Type.String())),
  /** Erasures there had been when they were named; one that came later, of one of them, takes that one out. */
  readersEpoch: Type.Optional(Type.Integer({ minimum: 0, maximum: maxCount })),
  /** When it goes to the trash by itself. */
  expiresAt: Type.Optional(nullableText),
  /** What the scanner said of the bytes as they came, and the version of its signatures; null where there was none. */
  scan: Type.Optional(Type.Union([Type.Enum(['clean', 'unscanned']), Type.Null()])),
  scanSignature: Type.Optional(nullableText),
})

export type Sidecar = Required<Static<typeof SidecarSchema>>

const checksum = (body: string) => `sha256:${createHash('sha256').update(body).digest('hex')}`

const names = Object.keys(SidecarSchema.properties) as Array<keyof Sidecar>

/** The file's text: readable JSON whose first member proves the rest. The same sidecar is the same bytes, whoever put it together. */
export function encodeSidecar (sidecar: Sidecar): string {
  const body = Object.fromEntries(names.map((name) => [name, sidecar[name]]))
  return JSON.stringify({ checksum: checksum(JSON.stringify(body)), ...body }, null, 1) + '\n'
}

/** Undefined when the text is no sidecar of this format, or was changed since it was written. */
export function decodeSidecar (text: string): Sidecar | undefined {
  const parsed = parse(text)
  if (typeof parsed !== 'object' || parsed === null || !('checksum' in parsed)) return undefined
  const { checksum: stated, ...body } = parsed
  if (stated !== checksum(JSON.stringify(body)) || !Check(SidecarSchema, body)) return undefined
  return { ...defaults, ...body }
}

/** A copy that nobody has said yet to be in the place of its original: until that is said, only the original counts. */
export const isDraft = ({ originalId, metadataRemoved }: Pick<Sidecar, 'originalId' | 'metadataRemoved'>): boolean => originalId !== null && metadataRemoved === null

/** What a client or a scanner may say of a file, and has not. */
export const plain = { readers: [], readersEpoch: 0, expiresAt: null, scan: null, scanSignature: null }

/** What is said of a file that nobody has looked into. */
export const unseen = { thumbhash: null, metadataRemoved: null, keepsMetadata: false, crop: null, originalId: null, ...plain }

/** What sidecars of earlier versions do not say. */
const defaults = { epoch: 0, source: null, sourceSha256: null, ...unseen }

function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
