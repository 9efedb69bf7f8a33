// Turns at what no transaction protects, such as a file on a shared volume: one process at a time of all on one PostgreSQL, by an advisory lock on a connection of its own.
import { setTimeout } from 'node:timers/promises'
import pLimit from 'p-limit'
import { DatabaseUnavailable } from '../../errors.ts'
import { openSession, type Session } from './coordination-session.ts'

/** From the asking, those of this process that come first included. */
const usualWaitMs = 10_000

const retryMs = 50

/** The server drops a session that says nothing, and its lock with it: not that of one whose volume keeps it waiting. */
const proveEveryMs = 2_000

export type Turns = <T>(name: string, work: () => Promise<T>) => Promise<T>

/** Connected only while a turn is taken or waited for, and never more than once. */
export function createTurns (url: string, { waitMs = usualWaitMs } = {}): Turns {
  const turn = pLimit(1)

  async function take (name: string, until: number): Promise<Session> {
    const session = await openSession({ url, lock: name })
    try {
      await session.prove()
      while (!await session.tryLock()) {
        if (performance.now() >= until) throw new Error(`another gateway or command is at "${name}", and was not done within ${waitMs / 1000} seconds`)
        await setTimeout(retryMs)
      }
      return session
    } catch (error) {
      await session.end().catch(() => {})
      throw error
    }
  }

  return (name, work) => {
    const until = performance.now() + waitMs
    return turn(async () => {
      const session = await unavailable(() => take(name, until))
      const timer = setInterval(() => { session.prove().catch(() => {}) }, proveEveryMs)
      try {
        const result = await work()
        // Who has lost the connection may not have been alone to the end.
        await unavailable(() => session.unlock())
        return result
      } finally {
        clearInterval(timer)
        await session.end().catch(() => {})
      }
    })
  }
}

async function unavailable<T> (ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    throw new DatabaseUnavailable({ cause })
  }
}
