// Lets a few tasks run at once; the others wait their turn.

export type Gate = <T>(task: () => Promise<T>) => Promise<T>

export function createGate (width: number): Gate {
  const waiting: Array<() => void> = []
  let running = 0

  return async function pass (task) {
    if (running < width) running++
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await task()
    } finally {
      // The place goes straight to the next, so that nobody can slip in between.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
