// What is tried again, how often, and after how long. What a request is does not matter here.
import { UploadGatewayError } from './error.ts'

export type Patience = {
  /**
   * Waits until it is time for another attempt.
   * @throws `error` itself when another would not help, or there have been enough; the reason of `signal` when it is aborted
   */
  after: (error: unknown) => Promise<void>
  /** Something was achieved: failures are counted anew. */
  renew: () => void
}

/** How often, and how soon. */
export type Pace = Pick<PatienceOptions, 'retries' | 'delayMs'>

export type PatienceOptions = {
  /** Attempts after the first that achieve nothing. */
  readonly retries: number
  /** The first wait; each is twice the one before. */
  readonly delayMs: number
  readonly signal?: AbortSignal | undefined
  /** Whether more is worth another attempt than what holds for every request. */
  readonly also?: (error: UploadGatewayError) => boolean
}

const longestMs = 30_000
/** Whoever is told to wait for longer than this is told so, rather than left waiting. */
const longestAsked = 120_000

export function createPatience ({ retries, delayMs, signal, also = () => false }: PatienceOptions): Patience {
  let failures = 0
  return {
    async after (error) {
      signal?.throwIfAborted()
      if (!(error instanceof UploadGatewayError) || !(isPassing(error) || also(error)) || failures >= retries) throw error
      const askedMs = (error.retryAfterSeconds ?? 0) * 1000
      if (askedMs > longestAsked) throw error
      // The half that is left to chance keeps clients that failed together from coming back together.
      const ownMs = Math.min(longestMs, delayMs * 2 ** failures) * (0.5 + Math.random() / 2)
      failures += 1
      await pause(Math.max(askedMs, ownMs), signal)
    },
    renew () {
      failures = 0
    },
  }
}

/** @throws what `attempt` throws last */
export async function patiently<T> (options: PatienceOptions, attempt: (isAgain: boolean) => Promise<T>): Promise<T> {
  const patience = createPatience(options)
  for (let isAgain = false; ; isAgain = true) {
    try {
      return await attempt(isAgain)
    } catch (error) {
      await patience.after(error)
    }
  }
}

/** The same request may succeed later, and with one Idempotency-Key it has one effect however often it is sent. */
function isPassing ({ code, status }: UploadGatewayError): boolean {
  return code === 'NETWORK_FAILED' || code === 'IDEMPOTENCY_IN_PROGRESS' || status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505)
}

/** A browser that is back on line need not wait for the end. */
export function pause (ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const events = globalThis as Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>>
    const end = (settle: () => void) => () => {
      clearTimeout(timer)
      events.removeEventListener?.('online', onLine)
      signal?.removeEventListener('abort', onAbort)
      settle()
    }
    const onLine = end(resolve)
    const onAbort = end(() => reject(signal?.reason))
    const timer = setTimeout(end(resolve), ms)
    events.addEventListener?.('online', onLine)
    signal?.addEventListener('abort', onAbort)
  })
}

/** What others may wait for as well goes on. @throws the reason of `signal` as soon as it is aborted */
export function unlessAborted<T> (promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal?.reason)
    if (signal?.aborted === true) onAbort()
    signal?.addEventListener('abort', onAbort)
    promise.then(resolve, reject).finally(() => signal?.removeEventListener('abort', onAbort))
  })
}
