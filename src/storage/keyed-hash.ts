// Names of people and paths as what is kept of them when they are gone: a hash that only who has the volume can compute.
import { createHmac } from 'node:crypto'

/** What is hashed; each has a space of its own. */
export type HashedThing = 'owner' | 'avatar' | 'path' | 'source' | 'content' | 'volume'

/** Lower-case hex. */
export type KeyedHash = (thing: HashedThing, name: string) => string

/**
 * HMAC-SHA-256 (RFC 2104) with the volume's identity as the key: 122 random bits that every volume, database and backup
 * of it has from the start, and that no ledger or receipt carries.
 */
export function createKeyedHash (volumeId: string): KeyedHash {
  return (thing, name) => createHmac('sha256', volumeId).update(`${thing}:${name}`).digest('hex')
}
