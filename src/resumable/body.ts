// The bytes of one request as they come, all of them: also those that came before the client left.
import type { IncomingMessage } from 'node:http'
import { UploadTooLarge } from '../errors.ts'
import { watchIncoming } from '../transfer/incoming.ts'
import type { Pace } from '../transfer/watchdog.ts'

/** What may wait to be written before the client is held up. */
const waitingBytes = 1024 ** 2

/**
 * At most `maxBytes`; then, unless the body came to its end, throws why: the reason of one of `signals`, UploadAborted, UploadStalled,
 * UploadTooLarge. A chunk is good until the next is asked for. Read through listeners, as a stream that is destroyed throws away what it holds.
 */
export async function * bytesOf (body: IncomingMessage, { maxBytes, signals, pace }: { maxBytes: number, signals: readonly AbortSignal[], pace: Pace }): AsyncGenerator<Buffer> {
  const incoming = watchIncoming(body, { ...pace, maxBodyBytes: maxBytes, tooLarge: () => new UploadTooLarge(maxBytes) })
  const { signal } = incoming
  const waiting: Buffer[] = []
  let bytes = 0
  let wake = () => {}

  function onData (chunk: Buffer): void {
    if (signal.aborted) return
    waiting.push(chunk)
    bytes += chunk.length
    if (bytes >= waitingBytes) body.pause()
    wake()
  }
  const onOver = () => wake()
  const ended = AbortSignal.any([...signals])
  const onEnded = () => incoming.fail(ended.reason)
  body.on('data', onData).once('end', onOver)
  signal.addEventListener('abort', onOver)
  ended.addEventListener('abort', onEnded)
  if (ended.aborted) onEnded()

  try {
    for (;;) {
      const chunk = waiting.shift()
      if (chunk !== undefined) {
        bytes -= chunk.length
        const { promise, resolve } = Promise.withResolvers<void>()
        const written = incoming.ours(promise)
        try {
          yield chunk
        } finally {
          resolve()
          await written
          incoming.spent(chunk)
        }
        continue
      }
      signal.throwIfAborted()
      if (body.readableEnded) return
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      body.resume()
      await promise
    }
  } finally {
    body.off('data', onData).off('end', onOver).pause()
    signal.removeEventListener('abort', onOver)
    ended.removeEventListener('abort', onEnded)
    incoming.release()
  }
}
