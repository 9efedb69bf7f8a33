// What uploads under way in this process will add to what their owners have. Gone with the process.

export type Amount = { readonly bytes: number, readonly files: number }

export type GiveBack = (bytes?: number) => void

export function createUnderWay () {
  const held = new Map<string, Amount>()
  const of = (ownerId: string): Amount => held.get(ownerId) ?? { bytes: 0, files: 0 }

  function add (ownerId: string, { bytes, files }: Amount): void {
    const before = of(ownerId)
    const after = { bytes: before.bytes + bytes, files: before.files + files }
    if (after.bytes === 0 && after.files === 0) held.delete(ownerId)
    else held.set(ownerId, after)
  }

  return {
    of,

    /** Until the function that it returns is called; again, that does nothing. With a number of bytes, so many are given back, and the rest stays. */
    hold (ownerId: string, amount: Amount): GiveBack {
      let { bytes, files } = amount
      add(ownerId, amount)
      return (some) => {
        const back = some === undefined ? { bytes, files } : { bytes: Math.min(some, bytes), files: 0 }
        bytes -= back.bytes
        files -= back.files
        add(ownerId, { bytes: -back.bytes, files: -back.files })
      }
    },
  }
}
