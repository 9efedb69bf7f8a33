// Trouble that would come with every request is told once a minute.
const quietMs = 60_000

export type Warn = (error: unknown, message: string) => void

/** Messages are few and fixed; what differs is in the error. */
export function occasionally (warn: Warn, now: () => Date): Warn {
  const warnedAtMs = new Map<string, number>()
  return (error, message) => {
    const nowMs = now().getTime()
    if (nowMs - (warnedAtMs.get(message) ?? -Infinity) < quietMs) return
    warnedAtMs.set(message, nowMs)
    warn(error, message)
  }
}
