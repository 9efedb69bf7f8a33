// One request and its answer, by fetch. What is asked, and what an answer means, is decided by others.
import { networkFailed } from './error.ts'

export type Request = {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Blob | FormData | string | undefined
  /** Of the body, roughly: how long sending it may take depends on it. */
  readonly bytes?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with what of the body has been sent, framing included: on the way where that can be known, else when it has been taken. */
  readonly onSent?: ((bytes: number) => void) | undefined
  /** For cookies, also of another origin. */
  readonly hasCookies?: boolean
}

/** @throws UploadGatewayError NETWORK_FAILED when no answer comes; the reason of the signal when it is aborted */
export type Transport = (request: Request) => Promise<Response>

export type Fetch = typeof globalThis.fetch

/** For as long as this nothing need come: a file may be scanned, or another request with the same key be under way. */
export const answerMs = 120_000

/** A connection on which less than this goes is as good as cut; the gateway itself ends slower ones. */
const slowestBytesPerSecond = 1024

export function byFetch (fetch: Fetch): Transport {
  return async ({ url, method, headers, body, bytes = 0, signal, onSent, hasCookies = false }) => {
    const tooLong = new AbortController()
    const timer = setTimeout(() => tooLong.abort(new Error('It took too long.')), answerMs + bytes / slowestBytesPerSecond * 1000)
    try {
      const response = await fetch(url, {
        method,
        headers,
        signal: signal === undefined ? tooLong.signal : AbortSignal.any([signal, tooLong.signal]),
        ...(body !== undefined && { body }),
        ...(hasCookies && { credentials: 'include' }),
      })
      if (response.ok) onSent?.(bytes)
      return response
    } catch (error) {
      signal?.throwIfAborted()
      throw networkFailed(error)
    } finally {
      clearTimeout(timer)
    }
  }
}
