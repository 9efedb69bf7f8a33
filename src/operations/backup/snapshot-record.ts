// What snapshot.json says: the proof that a snapshot is whole. A snapshot without it does not exist.
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/schema'
import { format } from './layout.ts'
import { decodeProven, encodeProven } from './proven.ts'

const FileSchema = Type.Object({ size: Type.Integer({ minimum: 0 }), sha256: Type.String() })

const RecordSchema = Type.Object({
  format: Type.Literal(format),
  /** Of the gateway that made it. */
  gateway: Type.String(),
  createdAt: Type.String(),
  /** Keyed hash of the volume's identity. */
  volume: Type.String(),
  /** Files of users, and their bytes. */
  blobs: Type.Integer({ minimum: 0 }),
  bytes: Type.Integer({ minimum: 0 }),
  /** Files of users that could not be backed up, because they were missing or damaged then. */
  findings: Type.Integer({ minimum: 0 }),
  /** Every other file of the snapshot, by its path in it. */
  files: Type.Record(Type.String(), FileSchema),
})

export type SnapshotRecord = Static<typeof RecordSchema>

const isRecord = (value: unknown): value is SnapshotRecord => Check(RecordSchema, value)

export const encodeSnapshotRecord = (record: SnapshotRecord): string => encodeProven(record)

/** Undefined when it is damaged, or of a newer format. */
export const decodeSnapshotRecord = (text: string): SnapshotRecord | undefined => decodeProven(text, isRecord)
