// Changes of one user in this process, one after the other: at once, each would find that another came first, and hold a connection for it. Other processes know nothing of it.

export function createUserTurns () {
  const last = new Map<string, Promise<unknown>>()

  return {
    /** Runs `work` when what was begun for this user before is over, whatever came of it. */
    take<T> (userId: string, work: () => Promise<T>): Promise<T> {
      const before = last.get(userId) ?? Promise.resolve()
      const own = before.then(work, work)
      const over = own.catch(() => {}).then(() => { if (last.get(userId) === over) last.delete(userId) })
      last.set(userId, over)
      return own
    },
  }
}
