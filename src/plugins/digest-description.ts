// How routes say in the description of the API which digests they take and give. They are read, checked and made in transfer.
import { Type } from 'typebox'
import { OwnerHeader } from './owner.ts'

/** For `schema.headers` of upload routes. */
export const UploadHeaders = Type.Object({
  ...OwnerHeader.properties,
  'content-digest': Type.Optional(Type.String({ description: 'RFC 9530: sha-256 or sha-512 of the body as it is sent, also of a form. When the bytes that arrive are others, nothing is kept.' })),
  'repr-digest': Type.Optional(Type.String({ description: 'The same of a body that is the file itself. In a form, a field sha256 says it of the next file.' })),
})

/** Of a form: before the file it is meant for. */
export const Sha256Field = { type: 'string', pattern: '^[0-9A-Fa-f]{64}$', description: 'Of the next file, and of no other. When the bytes that arrive are others, nothing is kept.' }

/** Of answers that are bytes. */
export const digestHeaders = { 'Repr-Digest': { type: 'string', description: 'RFC 9530: sha-256 of the whole file, also when only a range of it is sent. Left out for Want-Repr-Digest: sha-256=0.' } }

/** Of upload routes. */
export const intactCodes = ['DIGEST_INVALID', 'UPLOAD_DIGEST_MISMATCH']
