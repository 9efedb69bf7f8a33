// Bounds what is held in memory at once, first come, first served. Not what is done with it.

export type Allowance = {
  /** Waits until `bytes` are free, does the work and frees them. What asks for more than there is waits for all of it. @throws the reason of `signal` while it waits */
  during<T> (bytes: number, signal: AbortSignal, work: () => Promise<T>): Promise<T>
}

type Waiting = { readonly bytes: number, readonly start: () => void }

export function createAllowance (wholeBytes: number): Allowance {
  let freeBytes = wholeBytes
  const queue: Waiting[] = []

  function startNext (): void {
    for (let next = queue[0]; next !== undefined && next.bytes <= freeBytes; next = queue[0]) {
      queue.shift()
      freeBytes -= next.bytes
      next.start()
    }
  }

  function take (bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = { bytes, start }
      function giveUp (): void {
        queue.splice(queue.indexOf(waiting), 1)
        reject(signal.reason)
        startNext()
      }
      function start (): void {
        signal.removeEventListener('abort', giveUp)
        resolve()
      }
      signal.addEventListener('abort', giveUp, { once: true })
      queue.push(waiting)
      startNext()
    })
  }

  return {
    async during (wantedBytes, signal, work) {
      signal.throwIfAborted()
      const bytes = Math.min(wantedBytes, wholeBytes)
      await take(bytes, signal)
      try {
        return await work()
      } finally {
        freeBytes += bytes
        startNext()
      }
    },
  }
}
