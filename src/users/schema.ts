// The shapes of the user API: what clients send and get.
import { Type, type Static } from 'typebox'

const count = Type.Integer({ minimum: 0 })

/** What was erased, without a name: what a receipt says. */
export const ErasedSchema = Type.Object({
  id: Type.String({ description: 'Of the entry in the ledger of erasures.' }),
  at: Type.String({ format: 'date-time' }),
  owner: Type.String({ description: 'Keyed hash of the user\'s id.' }),
  epoch: Type.Integer({ minimum: 1, description: 'Counts the erasures of the volume.' }),
  blobs: Type.Array(Type.Object({ id: Type.String(), content: Type.String({ description: 'Keyed hash of the sha-256 of the bytes.' }) })),
  counts: Type.Object({ avatars: count, attachments: count, bytes: count, accounts: count }),
}, { $id: 'Erased' })

export type Erased = Static<typeof ErasedSchema>

export const ErasedUserParams = Type.Object({ userId: Type.String({ description: 'Whose uploads: the id of the user, as in their token. Not "me".' }) })

export const ExportedUserParams = Type.Object({ userId: Type.String({ description: 'Whose files: the id of the user, as in their token, or "me" for your own.' }) })

export const Erasure = Type.Object({
  erased: ErasedSchema,
  receipt: Type.String({ description: 'The same, signed: a compact JWS (RFC 7515, EdDSA). Keep it: "upload-gateway erase --verify" checks it.' }),
}, { description: 'Everything is erased. What went, without a name, and the receipt.' })
