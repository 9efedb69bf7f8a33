// What uploads under way in this process will add to what their owners have. Gone with the process.

export type Amount = { readonly bytes: number, readonly files: number }

export type GiveBack = (bytes?: number) => void

export function createUnderWay () {
  const held = new Map<string, Amount>()
  const watches = new Set<{ readonly ownerId: string, back: Amount }>()
  const of = (ownerId: string): Amount => held.get(ownerId) ?? { bytes: 0, files: 0 }

  function add (ownerId: string, { bytes, files }: Amount): void {
    const before = of(ownerId)
    const after = { bytes: before.bytes + bytes, files: before.files + files }
    if (after.bytes === 0 && after.files === 0) held.delete(ownerId)
    else held.set(ownerId, after)
  }

  return {
    of,

    /** What the owner's uploads give back while `work` waits for an answer, which may be from before: what took its place is not in it then. */
    async during<T> (ownerId: string, work: () => Promise<T>): Promise<{ result: T, back: Amount }> {
      const watch = { ownerId, back: { bytes: 0, files: 0 } }
      watches.add(watch)
      try {
        const result = await work()
        return { result, back: watch.back }
      } finally {
        watches.delete(watch)
      }
    },

    /** Until the function that it returns is called; again, that does nothing. With a number of bytes, so many are given back, and the rest stays. */
    hold (ownerId: string, amount: Amount): GiveBack {
      let { bytes, files } = amount
      add(ownerId, amount)
      return (some) => {
        const back = some === undefined ? { bytes, files } : { bytes: Math.min(some, bytes), files: 0 }
        bytes -= back.bytes
        files -= back.files
        add(ownerId, { bytes: -back.bytes, files: -back.files })
        for (const watch of watches) if (watch.ownerId === ownerId) watch.back = { bytes: watch.back.bytes + back.bytes, files: watch.back.files + back.files }
      }
    },
  }
}
