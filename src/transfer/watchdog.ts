// Judges whether a client sends too slowly. Knows no stream and no timer: it is told what came, and asked.

export type Pace = {
  /** A client that sends nothing for this long has stalled. */
  readonly idleMs: number
  /** A client slower than this, averaged over idleMs, has stalled; 0: any speed will do. */
  readonly minBytesPerSecond: number
}

export type Watchdog = {
  received (bytes: number): void
  /** Stops the client's clock while we keep it waiting ourselves; calls nest. */
  hold (): void
  release (): void
  /** True when the client was too slow over the last idleMs of its own time. Ask about checksPerWindow times in idleMs. */
  isStalled (): boolean
}

/** How often in one idleMs the question is worth asking: a stall is then found at most 1/8 late. */
export const checksPerWindow = 8

export function createWatchdog ({ idleMs, minBytesPerSecond }: Pace, now: () => number = () => performance.now()): Watchdog {
  const startedAt = now()
  let bytes = 0
  let holds = 0
  let heldSince = 0
  let heldMs = 0
  let marks = [{ at: 0, bytes: 0 }]

  const clientTime = () => (holds > 0 ? heldSince : now()) - startedAt - heldMs

  return {
    received (count) {
      bytes += count
    },
    hold () {
      if (holds++ === 0) heldSince = now()
    },
    release () {
      if (--holds === 0) heldMs += now() - heldSince
    },
    isStalled () {
      const at = clientTime()
      const start = marks.findLast((mark) => at - mark.at >= idleMs)
      marks = [...marks.slice(start === undefined ? 0 : marks.indexOf(start)), { at, bytes }]
      if (start === undefined) return false
      const came = bytes - start.bytes
      return came === 0 || came < minBytesPerSecond * (at - start.at) / 1000
    },
  }
}
