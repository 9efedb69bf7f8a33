// Work on many things, so many at once, whose failure is told only when none of it goes on any more.

/** After a failure nothing more is begun; it is thrown when what is under way has ended. */
export async function atOnce<T> (count: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values()
  const failures: unknown[] = []
  async function worker (): Promise<void> {
    for (const item of rest) {
      if (failures.length > 0) return
      await work(item).catch((error: unknown) => { failures.push(error) })
    }
  }
  await Promise.all(Array.from({ length: count }, worker))
  if (failures.length > 0) throw failures[0]
}
