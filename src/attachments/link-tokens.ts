// What is in the address of a link: which one it is and when it ends, signed. Whether it was revoked is not known here.
import { parse, stringify } from 'uuid'
import { signatureBytes, type Signer } from '../callers/signer.ts'

export type LinkClaim = {
  /** A UUID. */
  readonly id: string
  readonly expiresAt: Date
}

const idBytes = 16

/** Milliseconds since 1970. */
const timeBytes = 6

/** A multiple of three, so that base64url (RFC 4648 section 5) has one spelling of it. */
const tokenBytes = idBytes + timeBytes + signatureBytes

const token = new RegExp(`^[A-Za-z0-9_-]{${tokenBytes / 3 * 4}}$`)

export function linkToken (signer: Signer, { id, expiresAt }: LinkClaim): string {
  const content = Buffer.alloc(idBytes + timeBytes)
  content.set(parse(id))
  content.writeUIntBE(expiresAt.getTime(), idBytes, timeBytes)
  return Buffer.concat([content, signer.sign('link', content)]).toString('base64url')
}

/** Undefined when the gateway did not sign it. */
export function linkClaimed (signer: Signer, text: string): LinkClaim | undefined {
  if (!token.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64url')
  const content = bytes.subarray(0, idBytes + timeBytes)
  if (!signer.isSigned('link', content, bytes.subarray(content.length))) return undefined
  return { id: stringify(content.subarray(0, idBytes)), expiresAt: new Date(content.readUIntBE(idBytes, timeBytes)) }
}
