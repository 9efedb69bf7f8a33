// Lets pieces of work that have a name in common run one after the other, in the order in which they asked.

/** Each name is of a thing that only one piece of work may have at a time. */
export type InTurn = <T>(names: readonly string[], work: () => Promise<T>) => Promise<T>

export function createTurns (): InTurn {
  const last = new Map<string, Promise<unknown>>()

  return async (names, work) => {
    const before = names.map((name) => last.get(name))
    const turn = Promise.allSettled(before).then(work)
    for (const name of names) last.set(name, turn)
    try {
      return await turn
    } finally {
      for (const name of names) if (last.get(name) === turn) last.delete(name)
    }
  }
}
