// One body on its way in: notices when the client leaves, stalls or sends too much, and then ends the reading. Reads nothing itself.
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { UploadAborted, UploadStalled, withHeaders } from '../errors.ts'
import { free } from '../storage/free.ts'
import { reservationOf } from './admission.ts'
import { meterOf } from './meter.ts'
import { checksPerWindow, createWatchdog, type Pace } from './watchdog.ts'

export type BodyLimits = Pace & {
  /** The most the whole body may be, framing included. */
  readonly maxBodyBytes: number
  /** The error for a larger one. */
  readonly tooLarge: () => Error
  /** Hears of each chunk, before anybody else. */
  readonly onChunk?: (chunk: Buffer) => void
}

export type Incoming = {
  /** Aborts when the body cannot be had; the reason is the error to answer with. */
  readonly signal: AbortSignal
  /** Rejects with that reason. For waits between parts; not per chunk, as each wait is remembered until the end. */
  readonly failed: Promise<never>
  fail (error: Error): void
  /** Awaits work of ours, whose time is not held against the client. */
  ours<T> (work: Promise<T>): Promise<T>
  /** Nobody reads this chunk of the body any more. */
  spent (chunk: Buffer): void
  /** Reads on to the end of the message: only then is what came before it certain to be all. */
  ended (): Promise<void>
  /** Takes all eyes off the body. */
  release (): void
}

/** Call it in the same turn in which the reading starts: what flows before is not counted. */
export function watchIncoming (body: IncomingMessage, { maxBodyBytes, tooLarge, onChunk, ...pace }: BodyLimits): Incoming {
  const watchdog = createWatchdog(pace)
  const { signal, failed, fail } = failure()
  let received = 0
  /** Of the chunks of the body. */
  const memory = new WeakSet<ArrayBufferLike>()

  const reservation = reservationOf(body)
  const meter = meterOf(body)
  function onData (chunk: Buffer): void {
    memory.add(chunk.buffer)
    reservation?.consume(chunk.length)
    const refusal = meter?.(chunk.length)
    watchdog.received(chunk.length)
    onChunk?.(chunk)
    received += chunk.length
    if (received > maxBodyBytes) fail(tooLarge())
    if (refusal !== undefined) fail(refusal)
  }
  const onGone = (cause?: Error) => { if (!body.readableEnded) fail(new UploadAborted({ cause })) }
  const timer = setInterval(() => { if (watchdog.isStalled()) fail(stalled()) }, pace.idleMs / checksPerWindow)

  // The listener alone would set the body flowing before a reader is there.
  body.on('data', onData).pause()
  body.once('close', onGone).once('error', onGone)
  if (body.destroyed) onGone()

  return {
    signal,
    failed,
    fail,
    ours: (work) => {
      watchdog.hold()
      return work.finally(() => watchdog.release())
    },
    spent (chunk) {
      // Node makes each chunk for this body alone; one that comes by no socket is somebody else's too, as is what a parser of forms puts between.
      if (body.socket instanceof Socket && memory.has(chunk.buffer)) free(chunk)
    },
    async ended () {
      if (body.readableEnded) return
      const end = once(body, 'end', { signal })
      body.resume()
      await end
    },
    release () {
      clearInterval(timer)
      body.off('data', onData).off('close', onGone).off('error', onGone)
    },
  }
}

function failure () {
  const controller = new AbortController()
  const { signal } = controller
  const { promise: failed, reject } = Promise.withResolvers<never>()
  failed.catch(() => {})
  return {
    signal,
    failed,
    fail (error: Error): void {
      controller.abort(error)
      reject(signal.reason)
    },
  }
}

/** RFC 9110 section 15.5.9: the connection is given up with the answer. */
const stalled = () => withHeaders(new UploadStalled(), { connection: 'close' })
