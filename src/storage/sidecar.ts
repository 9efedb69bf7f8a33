// The small JSON file beside each blob that says what it is, so that the volume alone can rebuild every record (I9).
import { createHash } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/value'
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
})

export type Sidecar = Required<Static<typeof SidecarSchema>>

const checksum = (body: string) => `sha256:${createHash('sha256').update(body).digest('hex')}`

/** The file's text: readable JSON whose first member proves the rest. */
export function encodeSidecar (sidecar: Sidecar): string {
  return JSON.stringify({ checksum: checksum(JSON.stringify(sidecar)), ...sidecar }, null, 1) + '\n'
}

/** Undefined when the text is no sidecar of this format, or was changed since it was written. */
export function decodeSidecar (text: string): Sidecar | undefined {
  const parsed = parse(text)
  if (typeof parsed !== 'object' || parsed === null || !('checksum' in parsed)) return undefined
  const { checksum: stated, ...body } = parsed
  if (stated !== checksum(JSON.stringify(body)) || !Check(SidecarSchema, body)) return undefined
  return { ...body, epoch: body.epoch ?? 0, source: body.source ?? null, sourceSha256: body.sourceSha256 ?? null }
}

function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
