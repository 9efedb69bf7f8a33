// Tells once when a request is over, also when its client left: Fastify's onResponse is silent then.
import type { FastifyReply } from 'fastify'

export type Completion = {
  /** What the client was told; 499 when it left before it was told anything. */
  readonly status: number
  readonly ms: number
  /** The client left before the answer was complete. */
  readonly isAborted: boolean
}

/** Calls `listener` when the answer is complete or the connection is gone. Time counts from this call. */
export function onCompletion (reply: FastifyReply, listener: (completion: Completion) => void): void {
  const startedAt = performance.now()
  const { raw } = reply
  // Log, metrics, watchdogs and the stream each listen for the end: more than the ten that Node takes for a leak.
  raw.setMaxListeners(20)
  let isOver = false
  const over = (isAborted: boolean) => {
    if (isOver) return
    isOver = true
    listener({ status: isAborted && !raw.headersSent ? 499 : raw.statusCode, ms: performance.now() - startedAt, isAborted })
  }
  raw.once('finish', () => over(false))
  raw.once('close', () => over(true))
}
