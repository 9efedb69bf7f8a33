// One stream of an object however often its connection is cut: taken up where it stopped, and never ended short. Nobody holds a connection who does not read.
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { leavable } from './leavable.ts'
import { ObjectsUnavailable } from './objects.ts'

export type Steady = {
  /** For the message when it fails. */
  readonly name: string
  /** How many `first` is to bring. */
  readonly bytes: number
  readonly first: Readable
  /** The bytes of the very same version from `offset` of `first` on. */
  readonly reopen: (offset: number) => Promise<Readable>
  /** A connection that brings nothing for so long while somebody waits is given up. */
  readonly silenceMs?: number
  /** So is one of which nobody takes anything for so long: stores serve few at once. */
  readonly restMs?: number
}

/** How often in a row a connection may bring nothing. */
const mostFailures = 3

/** Before an unreachable store is asked again. */
const pauseMs = 100

export function steadyStream ({ name, bytes, first, reopen, silenceMs = 10_000, restMs = 5_000 }: Steady): Readable {
  let body = quiet(first)

  async function * chunks (): AsyncGenerator<Buffer> {
    let sent = 0
    let failures = 0
    for (;;) {
      try {
        for await (const chunk of untilSilent(body, silenceMs, restMs)) {
          failures = 0
          sent += chunk.length
          yield chunk
        }
        if (sent !== bytes) throw new Error(`It ended after ${sent} of ${bytes} bytes.`)
        return
      } catch (error) {
        if (sent === bytes || stream.destroyed) return
        failures += 1
        if (sent > bytes || failures === mostFailures) throw new ObjectsUnavailable(`${name} cannot be read to its end`, { cause: error })
      }
      body = quiet(await again(sent))
      if (stream.destroyed) body.destroy()
    }
  }

  /** A store that is gone for a moment has as long to come back as one that is silent. */
  async function again (offset: number): Promise<Readable> {
    const deadline = performance.now() + silenceMs
    for (;;) {
      try {
        return await reopen(offset)
      } catch (error) {
        if (!(error instanceof ObjectsUnavailable) || stream.destroyed || performance.now() > deadline) throw new ObjectsUnavailable(`${name} cannot be read on from byte ${offset}`, { cause: error })
        await pause(pauseMs)
      }
    }
  }

  const stream = leavable(chunks(), () => body.destroy())
  return stream
}

/** One that fails while nobody reads it is told so when somebody does, and must not end the process before. */
const quiet = (body: Readable): Readable => body.on('error', () => {})

/** The time between two chunks is not the store's: the reader may be as slow as it likes. */
async function * untilSilent (body: Readable, silenceMs: number, restMs: number): AsyncGenerator<Buffer> {
  const giveUp = () => body.destroy(new Error(`Nothing came for ${silenceMs} ms.`))
  const rest = () => body.destroy(new Error(`Nothing was taken for ${restMs} ms.`))
  let timer = setTimeout(giveUp, silenceMs)
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      clearTimeout(timer)
      timer = setTimeout(rest, restMs)
      yield chunk
      clearTimeout(timer)
      timer = setTimeout(giveUp, silenceMs)
    }
  } finally {
    clearTimeout(timer)
  }
}
