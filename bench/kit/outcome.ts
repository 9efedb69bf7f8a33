// What a load came to: as a table to read, and as a picture of how fast each was.
import { median, ratios, spread } from './rounds.ts'
import { head, row } from './table.ts'
import { gateway, type Goal, type Load, type Sample } from './bench.ts'

export type Outcome = Pick<Load, 'id' | 'title' | 'unit'> & { readonly samples: ReadonlyMap<string, readonly Sample[]>, readonly goals: readonly Goal[] }

const mebibyte = 1024 ** 2
const wordOf = { perSecond: 'rate', p50Ms: 'p50', p99Ms: 'p99', peakBytes: 'memory' } as const

const figure = (value: number): string => value >= 1000 ? Math.round(value).toLocaleString('en').replaceAll(',', ' ') : value.toPrecision(3)

export function tableOf ({ title, unit, samples, goals }: Outcome): string {
  const lines = [`### ${title}`, '', head('', `${unit} a second`, 'p50', 'p99', `processor time for each of the ${unit}`, 'peak memory')]
  for (const [name, ones] of samples) {
    const of = (what: 'perSecond' | 'cpuMs' | 'peakBytes') => median(ones.map((sample) => sample[what]))
    const time = (what: 'p50Ms' | 'p99Ms') => ones.every((sample) => sample[what] !== undefined) ? `${figure(median(ones.map((sample) => sample[what] ?? NaN)))} ms` : ''
    lines.push(row(name, figure(of('perSecond')), time('p50Ms'), time('p99Ms'), `${figure(of('cpuMs') * 1000)} µs`, `${Math.round(of('peakBytes') / mebibyte)} MiB`))
  }
  lines.push('', ...goals.map((goal) => `* ${verdictOf(goal, samples)}`), '')
  return lines.join('\n')
}

/** One for each round. */
function valuesOf ({ of, to, what = 'perSecond', isDifference = false }: Goal, samples: Outcome['samples']): number[] {
  const [ones, others] = [of, to].map((name) => (samples.get(name ?? '') ?? []).map((sample) => sample[what] ?? NaN))
  if (to === undefined) return ones ?? []
  return isDifference ? (ones ?? []).map((one, round) => one - (others?.[round] ?? NaN)) : ratios(ones, others)
}

export function isMet (goal: Goal, samples: Outcome['samples']): boolean {
  const value = median(valuesOf(goal, samples))
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost
}

function verdictOf (goal: Goal, samples: Outcome['samples']): string {
  const { of, to, what = 'perSecond', isDifference = false } = goal
  const values = valuesOf(goal, samples)
  const isRatio = to !== undefined && !isDifference
  const show = (value: number) => isRatio ? `${value} ×` : what === 'peakBytes' ? `${Math.round(value / mebibyte)} MiB` : figure(value)
  const had = isRatio ? spread(values) : show(median(values))
  const wanted = 'atLeast' in goal ? `at least ${show(goal.atLeast)}` : `at most ${show(goal.atMost)}`
  const against = to === undefined ? '' : isDifference ? ` beyond ${to}` : ` to ${to}`
  return `${isMet(goal, samples) ? 'met' : '**missed**'}: ${wordOf[what]} of ${of}${against}: ${had}; the goal is ${wanted}`
}

/** What draws it is installed with what the gateway is compared with: it has no types here. */
const chart = new URL('../peers/chart.mjs', import.meta.url).href

/** SVG of the rates. */
export async function chartOf (outcomes: readonly Outcome[], subtitle: string): Promise<string> {
  const { draw } = await import(chart) as { draw: (charts: unknown, subtitle: string) => Promise<string> }
  return draw(outcomes.map(({ title, unit, samples }) => ({
    title, unit,
    bars: [...samples].map(([name, ones]) => ({ name, rate: median(ones.map(({ perSecond }) => perSecond)), isOwn: name.startsWith(gateway) })),
  })), subtitle)
}
