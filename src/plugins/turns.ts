// Requests of the same key, one after the other: who comes while another is at it waits for its end. What a turn is for is not known here.

export type Turn = {
  /** From now on it is over with `end` alone, whatever becomes of the client. */
  begin (): void
  end (): void
  /** Ends a turn that has not begun. */
  giveUp (): void
}

export type Turns = ReturnType<typeof createTurns>

export function createTurns () {
  const underWay = new Map<string, Promise<void>>()

  return {
    /** Resolves once nobody else has the turn. @throws the reason of `signal` when that comes first */
    async take (key: string, signal: AbortSignal): Promise<Turn> {
      for (let before = underWay.get(key); before !== undefined; before = underWay.get(key)) await unlessAborted(before, signal)
      const { promise, resolve } = Promise.withResolvers<void>()
      underWay.set(key, promise)
      let hasBegun = false
      const end = () => {
        if (underWay.get(key) === promise) underWay.delete(key)
        resolve()
      }
      return {
        begin: () => { hasBegun = true },
        end,
        giveUp: () => { if (!hasBegun) end() },
      }
    },
  }
}

async function unlessAborted (work: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  await Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', onAbort))
}
