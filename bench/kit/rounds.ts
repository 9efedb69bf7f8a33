// Comparisons in rounds: what else the machine does at a time is then the same for all.

/** One of those that are compared; `measure` is called once in each round. */
export type Side<Sample> = { readonly name: string, measure (): Promise<Sample> }

type Options = {
  readonly rounds: number
  /** No round begins when those before took so long; the first always does. */
  readonly mostMs?: number
}

/** What each side came to, round by round; every other round goes backwards. */
export async function interleaved<Sample> (sides: readonly Side<Sample>[], { rounds, mostMs = Infinity }: Options): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(sides.map(({ name }) => [name, []]))
  const end = performance.now() + mostMs
  for (let round = 0; round === 0 || (round < rounds && performance.now() < end); round += 1) {
    for (const { name, measure } of round % 2 === 0 ? sides : sides.toReversed()) samples.get(name)?.push(await measure())
  }
  return samples
}

export function median (values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return ((sorted[(sorted.length - 1) >> 1] ?? NaN) + (sorted[sorted.length >> 1] ?? NaN)) / 2
}

/** What one had for each of the other in the same round. */
export const ratios = (ones: readonly number[] = [], others: readonly number[] = []): number[] => ones.map((one, round) => one / (others[round] ?? NaN))

/** The median, and the lowest and highest. */
export const spread = (values: readonly number[]): string => `${median(values).toPrecision(2)} × (${Math.min(...values).toPrecision(2)} to ${Math.max(...values).toPrecision(2)})`
