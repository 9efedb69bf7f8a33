// Passwords at rest: argon2id, a few at a time.
import { hash, verify } from '@node-rs/argon2'
import pLimit from 'p-limit'
import { ServiceOverloaded, withHeaders } from '../errors.ts'

/** OWASP's choice for argon2id: 19 MiB, two passes. The defaults of the library are the same; a change there must not pass unseen. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** Verified against when there is no account, so that the answer takes as long. No password gives this hash. */
const nobody = `$argon2id$v=19$m=${cost.memoryCost},t=${cost.timeCost},p=${cost.parallelism}$${'A'.repeat(22)}$${'A'.repeat(43)}`

export type Passwords = {
  hash (password: string): Promise<string>
  /** Takes the same time whether or not there is a hash; false when there is none. */
  matches (password: string, passwordHash: string | undefined): Promise<boolean>
}

/**
 * Two at a time, because they share Node's four threads with all file work, and each takes 19 MiB. Where more than
 * `maxWaiting` wait already, they throw ServiceOverloaded.
 */
export function createPasswords ({ maxRunning = 2, maxWaiting = 64 } = {}): Passwords {
  const inTurn = createTurns(maxRunning, maxWaiting)
  return {
    hash: (password) => inTurn(() => hash(spelled(password), cost)),
    matches: (password, passwordHash) => inTurn(async () => await verify(passwordHash ?? nobody, spelled(password)) && passwordHash !== undefined),
  }
}

/** The same letters typed on another system may be other code points (RFC 8265 section 4.2). */
const spelled = (password: string) => password.normalize('NFC')

function createTurns (maxRunning: number, maxWaiting: number) {
  const limit = pLimit(maxRunning)
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (limit.activeCount + limit.pendingCount >= maxRunning + maxWaiting) throw withHeaders(new ServiceOverloaded(), { 'Retry-After': '1' })
    return limit(work)
  }
}
