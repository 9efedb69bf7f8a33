// What callers used up within the last minute, to the millisecond. Decides nothing: it says how long to wait.

/** Seconds. */
export const windowSeconds = 60

const windowMs = windowSeconds * 1000

/** What one body brings within this time counts as if it came at once. */
const togetherMs = 1000

export type Charge = {
  /** Came beyond what was charged for. */
  more (amount: number): void
  /** What was charged for and did not come. */
  giveBack (amount: number): void
}

export type Window = ReturnType<typeof createWindow>

type Part = { amount: number, readonly beganAt: number, endedAt: number, countsUntil: number }

/** `parts`: those that count, in the order in which they stop to, but for one that is larger than the limit: behind it nothing passes. */
type Used = { total: number, countsUntil: number, readonly parts: Set<Part> }

/**
 * A sliding window: in no `windowSeconds` is more than the limit used, also not around the end of a minute. What is larger than the
 * whole limit passes when nothing else counts, and then counts for as much longer: or it could never be uploaded.
 * Nothing here takes longer for a caller who used much, but to say how long to wait, and to give back.
 * `nowMs`: a clock that is never set.
 */
export function createWindow (nowMs: () => number) {
  const callers = new Map<string, Used>()

  /** Whole milliseconds. */
  const now = () => Math.floor(nowMs())

  function current (callerId: string): Used {
    const used = callers.get(callerId) ?? { total: 0, countsUntil: 0, parts: new Set() }
    for (const part of used.parts) {
      if (part.countsUntil > now()) break
      used.total -= part.amount
      used.parts.delete(part)
    }
    return used
  }

  const secondsUntil = (ms: number) => Math.max(0, Math.ceil((ms - now()) / 1000))

  /** A minute from when the last of it came; or, where all that counts is more than the limit, as many minutes from when it began. */
  function extend (used: Used, part: Part, limit: number): void {
    part.countsUntil = Math.max(part.endedAt + windowMs, part.beganAt + windowMs * used.total / limit)
    used.countsUntil = Math.max(used.countsUntil, part.countsUntil)
  }

  return {
    /** Whole seconds until `amount` passes, if nothing else came meanwhile; 0: now. */
    waitSeconds (callerId: string, amount: number, limit: number): number {
      const { total, parts } = current(callerId)
      const most = Math.max(0, limit - amount)
      let counted = total
      let until = 0
      for (const part of parts) {
        if (counted <= most) break
        counted -= part.amount
        until = Math.max(until, part.countsUntil)
      }
      return secondsUntil(until)
    },

    /** Whether it passes or not. */
    charge (callerId: string, first: number, limit: number): Charge {
      const begin = (): Part => ({ amount: 0, beganAt: now(), endedAt: now(), countsUntil: 0 })
      let part = begin()

      function more (amount: number): void {
        if (amount === 0) return
        const used = current(callerId)
        const isOver = used.total + amount > limit
        if (!used.parts.has(part) || (now() - part.beganAt >= togetherMs && !isOver)) part = begin()
        part.amount += amount
        part.endedAt = now()
        used.total += amount
        extend(used, part, limit)
        used.parts.delete(part)
        used.parts.add(part)
        callers.set(callerId, used)
      }

      more(first)
      return {
        more,
        giveBack (amount) {
          const used = current(callerId)
          if (!used.parts.has(part)) return
          const back = Math.min(amount, part.amount)
          part.amount -= back
          used.total -= back
          extend(used, part, limit)
          if (part.amount === 0) used.parts.delete(part)
          used.countsUntil = [...used.parts].reduce((latest, { countsUntil }) => Math.max(latest, countsUntil), 0)
        },
      }
    },

    left: (callerId: string, limit: number): number => Math.max(0, limit - current(callerId).total),

    /** Until nothing of what was used counts any more. */
    resetSeconds: (callerId: string): number => secondsUntil(current(callerId).countsUntil),

    /** Takes out whoever has used nothing for a while. */
    forget (): void {
      for (const callerId of [...callers.keys()]) if (current(callerId).parts.size === 0) callers.delete(callerId)
    },
  }
}
