// Whose turn it is: work waits in line until a place and enough bytes of memory are free. Knows nothing of processes.
import { ImagesBusy, withHeaders } from '../../errors.ts'

/** Kinds of work, of which each waits in a line of its own: however much there is of one, it refuses nothing of another. */
export type Line = 'upload' | 'variant' | 'drawing'

export type Turn = {
  /** Bytes that the work holds while it runs; more than there are at all counts as all of them. */
  readonly weight: number
  readonly line: Line
}

export type LineOptions = {
  /** How much of it may wait. */
  readonly maxWaiting: number
  /** Milliseconds: it waits as if it had come so much earlier. */
  readonly headStartMs: number
}

export type Budget = {
  /**
   * Resolves when the work may start, to what must be called once it holds no memory any more.
   * @throws ImagesBusy when too many wait in its line already, or after waitMs
   */
  take (turn: Turn): Promise<() => void>
  /** How much work waits. */
  readonly waiting: number
  /** What no running work holds. */
  readonly freeBytes: number
  /** Rejects everything that waits, and all that comes later. */
  close (reason: Error): void
}

type Waiting = Turn & {
  /** When it came, less its head start; milliseconds by performance.now. */
  readonly since: number
  start (): void
  refuse (reason: unknown): void
}

type Options = {
  places: number
  bytes: number
  lines: Readonly<Record<Line, LineOptions>>
  /** Less the head start: else, where all wait for longer than that, only those who have one would ever get a turn. */
  waitMs: number
}

/**
 * At most `places` at once and `bytes` together. Nothing overtakes the first of all lines, however small it is: else a
 * stream of small pictures would keep a large one waiting for ever.
 */
export function createBudget ({ places, bytes, lines, waitMs }: Options): Budget {
  /** Of all lines, in the order of their turns. */
  const queue: Waiting[] = []
  let freePlaces = places
  let freeBytes = bytes
  let closed: Error | undefined

  function start (weight: number): () => void {
    freePlaces--
    freeBytes -= weight
    return () => {
      freePlaces++
      freeBytes += weight
      startWaiting()
    }
  }

  function startWaiting (): void {
    const [first] = queue
    if (first === undefined || freePlaces === 0 || first.weight > freeBytes) return
    first.start()
    startWaiting()
  }

  function enqueue ({ weight, line }: Turn): Promise<() => void> {
    const { maxWaiting, headStartMs } = lines[line]
    const since = performance.now() - headStartMs
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer)
        queue.splice(queue.indexOf(waiting), 1)
      }
      const waiting: Waiting = {
        weight,
        line,
        since,
        start () { leave(); resolve(start(weight)) },
        refuse (reason) { leave(); reject(reason) },
      }
      const timer = setTimeout(() => { waiting.refuse(busy()); startWaiting() }, waitMs - headStartMs)
      queue.splice(queue.findLastIndex((other) => other.since <= since) + 1, 0, waiting)
      startWaiting()
      const inLine = queue.filter((other) => other.line === line)
      if (inLine.length > maxWaiting) inLine.at(-1)?.refuse(busy())
    })
  }

  return {
    async take ({ weight, line }) {
      if (closed !== undefined) throw closed
      return enqueue({ weight: Math.min(weight, bytes), line })
    },
    get waiting () { return queue.length },
    get freeBytes () { return freeBytes },
    close (reason) {
      closed = reason
      for (const waiting of [...queue]) waiting.refuse(reason)
    },
  }
}

export const busy = (cause?: unknown) => withHeaders(new ImagesBusy({ cause }), { 'Retry-After': '1' })
