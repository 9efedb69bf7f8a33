// The budget of the cache on the disk: counts what is there, and takes away what was used longest ago to make room. What an entry is, it does not know.

/** To be called once: when what it was taken for is on the disk, or will not come there. */
export type Taken = (isUsed: boolean) => void

/** What takes room. */
type Piece = { readonly bytes: number, readonly usedAtMs: number }

export type Room = {
  /** What is taken as far as this process knows: at least what it has put there itself. Bytes. */
  readonly usedBytes: number
  /** Makes room for `bytes` and sets them aside; undefined when there is none to be had. One at a time. */
  take (bytes: number): Promise<Taken | undefined>
  /** Another process has put so many bytes there: who takes away makes up for them. */
  note (bytes: number): void
  /** Counts anew; those who ask meanwhile share it. */
  count (): Promise<void>
  /** Takes away what was used longest ago until at most `toBytes` are used; false when that much cannot be taken away. */
  shrink (toBytes: number): Promise<boolean>
  /** Resolves when nothing more is counted or taken away. */
  close (): Promise<void>
}

type Options<P extends Piece> = {
  readonly maxBytes: number
  /** All pieces, in no order. */
  readonly walk: () => AsyncIterable<P[]>
  /** Takes one away that is as it was when it was found. False when it stays, for whatever reason. Never throws. */
  readonly remove: (piece: P) => Promise<boolean>
  /** Whether this process takes away; otherwise another does, and this one puts no more there than the budget allows. */
  readonly isKeeper?: () => boolean
  readonly now: () => Date
}

/**
 * Others may share the disk space and put pieces there too. Each of them counts again after it has put a sixteenth of the budget
 * there, and leaves as much free: so two never exceed it together, and n of them by n - 2 sixteenths at most.
 */
const uncountedShare = 1 / 16

/** Of each count only the oldest quarter is remembered: by the time it is gone, it is time to count again. */
const keptShare = 3 / 4

/** After it was found that nothing can be taken away, as on a disk that has become read-only. */
const restMs = 60_000

export function createRoom<P extends Piece> ({ maxBytes, walk, remove, isKeeper = () => true, now }: Options<P>): Room {
  const uncountedBytes = Math.floor(maxBytes * uncountedShare)
  const limitBytes = maxBytes - uncountedBytes
  let usedBytes = 0
  /** Taken since the last complete count began, and since the present one began. */
  let takenBytes = 0
  let takenMeanwhileBytes = 0
  /** Taken for what is not on the disk yet. */
  let pendingBytes = 0
  let isCounted = false
  /** The newest first. */
  let oldest: P[] = []
  let keptBytes = limitBytes * keptShare
  let underWay: Promise<void> | undefined
  let trimming: Promise<unknown> = Promise.resolve()
  let restUntilMs = 0
  let isClosed = false

  async function countNow (): Promise<void> {
    // Their files may come where it has counted already.
    takenMeanwhileBytes = pendingBytes
    const byMinute = new Map<number, P[]>()
    let foundBytes = 0
    for await (const pieces of walk()) {
      if (isClosed) return
      for (const piece of pieces) {
        const minute = Math.floor(piece.usedAtMs / 60_000)
        const others = byMinute.get(minute)
        if (others === undefined) byMinute.set(minute, [piece])
        else others.push(piece)
        foundBytes += piece.bytes
      }
    }
    oldest = oldestOf(byMinute, foundBytes - keptBytes)
    usedBytes = foundBytes + takenMeanwhileBytes
    takenBytes = takenMeanwhileBytes
    isCounted = true
    if (isKeeper()) trimming = Promise.all([trimming, evictTo(limitBytes)])
  }

  function count (): Promise<void> {
    underWay ??= countNow().finally(() => { underWay = undefined })
    return underWay
  }

  /** Of those known; false when they did not suffice. */
  async function evictTo (bytes: number): Promise<boolean> {
    while (true) {
      if (usedBytes <= bytes || isClosed) return usedBytes <= bytes
      const list = oldest
      const piece = list.pop()
      if (piece === undefined) return false
      // A count that came in between may have counted it or not: rather too much than too little.
      if (await remove(piece) && list === oldest) usedBytes -= piece.bytes
    }
  }

  /** `isReached` is asked again after a count. */
  async function counting (isReached: () => Promise<boolean>): Promise<boolean> {
    if (await isReached()) return true
    if (now().getTime() < restUntilMs) return false
    await count()
    if (await isReached()) return true
    restUntilMs = now().getTime() + restMs
    return false
  }

  const makeRoom = (bytes: number) => counting(() => evictTo(bytes))

  /** For who takes nothing away: up to the budget itself, of which the keeper leaves a part free. */
  const findRoom = (bytes: number) => counting(async () => usedBytes + bytes <= maxBytes)

  return {
    get usedBytes () { return usedBytes },

    async take (bytes) {
      if (bytes > uncountedBytes) return undefined
      const isDue = (share: number) => takenBytes + bytes > uncountedBytes * share && !isClosed
      // In time, so that nobody waits.
      if (isDue(3 / 4)) count()
      while (isDue(1)) await count()
      if (isClosed || !await (isKeeper() ? makeRoom(limitBytes - bytes) : findRoom(bytes))) return undefined
      usedBytes += bytes
      takenBytes += bytes
      takenMeanwhileBytes += bytes
      pendingBytes += bytes
      return (isUsed) => {
        pendingBytes -= bytes
        if (!isUsed) usedBytes -= bytes
      }
    },

    note (bytes) {
      if (!isKeeper() || isClosed) return
      usedBytes += bytes
      takenBytes += bytes
      takenMeanwhileBytes += bytes
      if (takenBytes > uncountedBytes * 3 / 4) count()
      else trimming = Promise.all([trimming, makeRoom(limitBytes)])
    },

    count,

    async shrink (toBytes) {
      if (isCounted && await evictTo(toBytes)) return true
      keptBytes = Math.min(keptBytes, toBytes)
      try {
        await underWay
        await count()
        return await evictTo(toBytes)
      } finally {
        keptBytes = limitBytes * keptShare
      }
    },

    async close () {
      isClosed = true
      await underWay
      await trimming
    },
  }
}

/**
 * Of `bytes` together, the newest first. Minutes are plain numbers, and sorted in no time: to sort a hundred thousand pieces at
 * once would keep requests waiting.
 */
function oldestOf<P extends Piece> (byMinute: ReadonlyMap<number, P[]>, bytes: number): P[] {
  const oldest: P[] = []
  let rest = bytes
  for (const minute of Float64Array.from(byMinute.keys()).sort()) {
    for (const piece of (byMinute.get(minute) ?? []).sort((one, other) => one.usedAtMs - other.usedAtMs)) {
      if (rest <= 0) return oldest.reverse()
      rest -= piece.bytes
      oldest.push(piece)
    }
  }
  return oldest.reverse()
}
