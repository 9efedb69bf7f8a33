// How often one may try a password or sign up. Kept in memory, for this process.
import { createHmac, randomBytes } from 'node:crypto'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { networkOf } from '../plugins/network.ts'
import { AttemptsExceeded, withHeaders } from '../errors.ts'

const defaults = {
  /** Passwords tried for one account from one network. */
  perAccount: { points: 10, duration: 15 * 60 },
  /** Passwords tried from one network, where many people may sit behind one address. */
  perNetwork: { points: 100, duration: 15 * 60 },
  /** Sign-ups, and changes of e-mail address, from one network: both tell whether an address is taken. */
  registrations: { points: 60, duration: 60 * 60 },
}

export type Throttle = ReturnType<typeof createThrottle>

/** All throw AttemptsExceeded with Retry-After. Limits are points in a duration of seconds. */
export function createThrottle (limits: Partial<typeof defaults> = {}) {
  const { perAccount, perNetwork, registrations } = { ...defaults, ...limits }
  const [accounts, networks, signUps] = [perAccount, perNetwork, registrations].map((limit) => new RateLimiterMemory(limit)) as [RateLimiterMemory, RateLimiterMemory, RateLimiterMemory]
  const bucket = createBuckets()
  return {
    /** Counts before the password is looked at: many tries at once are many tries. */
    async attempt (ip: string, account: string): Promise<void> {
      await take(networks, bucket(networkOf(ip)))
      await take(accounts, bucket(networkOf(ip), account))
    },
    /** The right password takes back what its attempts counted. */
    async succeed (ip: string, account: string): Promise<void> {
      await networks.reward(bucket(networkOf(ip)))
      await accounts.delete(bucket(networkOf(ip), account))
    },
    async registration (ip: string): Promise<void> {
      await take(signUps, bucket(networkOf(ip)))
    },
  }
}

async function take (limiter: RateLimiterMemory, key: string): Promise<void> {
  try {
    await limiter.consume(key)
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal
    throw withHeaders(new AttemptsExceeded(), { 'Retry-After': String(Math.ceil(refusal.msBeforeNext / 1000)) })
  }
}

/** 65 536 counters at most, whatever is sent; keyed, so that nobody can choose to share another's. */
function createBuckets () {
  const key = randomBytes(32)
  return (...parts: string[]) => createHmac('sha256', key).update(JSON.stringify(parts)).digest().readUInt16BE(0).toString()
}
