// Names of people and paths as what is kept of them when they are gone: a hash that only who has the volume can compute.
import { createHmac } from 'node:crypto'
import { LRUCache } from 'lru-cache'

/** What is hashed; each has a space of its own. */
export type HashedThing = 'owner' | 'avatar' | 'path' | 'source' | 'content' | 'volume' | 'answer' | 'request'

/** Lower-case hex. */
export type KeyedHash = (thing: HashedThing, name: string) => string

/**
 * HMAC-SHA-256 (RFC 2104) with the volume's identity as the key: 122 random bits that every volume, database and backup
 * of it has from the start, and that no ledger or receipt carries.
 */
export function createKeyedHash (volumeId: string): KeyedHash {
  return (thing, name) => createHmac('sha256', volumeId).update(`${thing}:${name}`).digest('hex')
}

const mostRemembered = 20_000

/** For who meets the same names again and again: it computes each of them once, as long as they are not too many. */
export function remembering (hash: KeyedHash): KeyedHash {
  const known = new LRUCache<string, string>({ max: mostRemembered })
  return (thing, name) => {
    const key = `${thing}:${name}`
    const hashed = known.get(key) ?? hash(thing, name)
    known.set(key, hashed)
    return hashed
  }
}
