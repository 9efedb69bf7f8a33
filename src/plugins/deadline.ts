// Asking something that may hang, such as a dead network mount, without waiting for ever or asking twice at once.

/**
 * Resolves with what `ask` gives, undefined when that takes longer than `ms`; rejects as it does. While one call hangs no
 * other is started: each would hold a thread of Node's pool, of which there are four.
 */
export function withDeadline<T> (ms: number, ask: () => Promise<T>): () => Promise<T | undefined> {
  let running: Promise<T> | undefined
  const run = async () => {
    try {
      return await ask()
    } finally {
      running = undefined
    }
  }
  return async () => {
    running ??= run()
    return within(ms, running)
  }
}

async function within<T> (ms: number, promise: Promise<T>): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>()
  const timer = setTimeout(late.resolve, ms, undefined)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
