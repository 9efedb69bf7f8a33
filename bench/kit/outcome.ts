// What a load came to: as a table to read, as a picture of its goals, and for other programs.
import { median, ratios, spread } from './rounds.ts'
import { head, row } from './table.ts'
import { gateway, type Goal, type Load, type Prepared, type Sample } from './bench.ts'

export type Outcome = Pick<Load, 'id' | 'title' | 'unit'> & { readonly samples: ReadonlyMap<string, readonly Sample[]> } & Pick<Prepared, 'goals' | 'leftOut'>

const mebibyte = 1024 ** 2
const wordOf = { perSecond: 'rate', p50Ms: 'p50', p99Ms: 'p99', peakBytes: 'memory' } as const

const figure = (value: number): string => value >= 1000 ? Math.round(value).toLocaleString('en').replaceAll(',', ' ') : value.toPrecision(3)

export function tableOf ({ title, unit, samples, goals, leftOut }: Outcome): string {
  const lines = [`### ${title}`, '', head('', `${unit} a second`, 'p50', 'p99', `processor time for each of the ${unit}`, 'peak memory')]
  for (const [name, ones] of samples) {
    const of = (what: 'perSecond' | 'cpuMs' | 'peakBytes') => median(ones.map((sample) => sample[what]))
    const time = (what: 'p50Ms' | 'p99Ms') => ones.every((sample) => sample[what] !== undefined) ? `${figure(median(ones.map((sample) => sample[what] ?? NaN)))} ms` : ''
    lines.push(row(name, figure(of('perSecond')), time('p50Ms'), time('p99Ms'), `${figure(of('cpuMs') * 1000)} µs`, `${Math.round(of('peakBytes') / mebibyte)} MiB`))
  }
  lines.push('', ...goals.map((goal) => `* ${verdictOf(goal, samples)}`))
  if (leftOut !== undefined) lines.push(`* left out: ${leftOut}, with its goal: --supabase-storage did not name a checkout`)
  lines.push('')
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

/** How many goals are met, as a sentence. */
export function countOf (outcomes: readonly Outcome[]): string {
  const all = outcomes.flatMap(({ goals, samples }) => goals.map((goal) => isMet(goal, samples)))
  return `${all.filter(Boolean).length} of ${all.length} goals are met.`
}

const isRatio = ({ to, isDifference = false }: Goal): boolean => to !== undefined && !isDifference

function show (value: number, goal: Goal): string {
  if (isRatio(goal)) return `${value} ×`
  if (goal.what === 'peakBytes') return `${Math.round(value / mebibyte)} MiB`
  return `${figure(value)}${goal.what === undefined || goal.what === 'perSecond' ? '' : ' ms'}`
}

const wantedOf = (goal: Goal): string => 'atLeast' in goal ? `at least ${show(goal.atLeast, goal)}` : `at most ${show(goal.atMost, goal)}`

function comparedIn ({ of, to, what = 'perSecond', isDifference = false }: Goal): string {
  return `${wordOf[what]} of ${of}${to === undefined ? '' : isDifference ? ` beyond ${to}` : ` to ${to}`}`
}

function verdictOf (goal: Goal, samples: Outcome['samples']): string {
  const values = valuesOf(goal, samples)
  const had = isRatio(goal) ? spread(values) : show(median(values), goal)
  return `${isMet(goal, samples) ? 'met' : '**missed**'}: ${comparedIn(goal)}: ${had}; the goal is ${wantedOf(goal)}`
}

/** All that was measured, for other programs. */
export const jsonOf = (outcomes: readonly Outcome[], machine: string): string => `${JSON.stringify({
  machine,
  loads: outcomes.map(({ id, title, unit, samples, goals, leftOut }) => ({ id, title, unit, leftOut, samples: Object.fromEntries(samples), goals: goals.map((goal) => ({ ...goal, isMet: isMet(goal, samples) })) })),
}, undefined, 1)}\n`

/** What draws it is installed with what the gateway is compared with: it has no types here. */
const chart = new URL('../peers/chart.mjs', import.meta.url).href

/** In a picture, under the title of its load. */
const nameOf = ({ of, to, what = 'perSecond' }: Goal): string => `${wordOf[what]}${of !== gateway ? ` of ${of}` : to === undefined ? '' : ` to ${to}`}`

/** SVG of how each goal was met or missed. */
export async function chartOf (outcomes: readonly Outcome[], subtitle: string): Promise<string> {
  const { draw } = await import(chart) as { draw: (charts: unknown, subtitle: string) => Promise<string> }
  return draw(outcomes.map(({ title, goals, samples }) => ({
    title,
    bars: goals.map((goal) => {
      const had = median(valuesOf(goal, samples))
      const share = 'atLeast' in goal ? had / goal.atLeast : goal.atMost / had
      return { name: nameOf(goal), share, isMet: isMet(goal, samples), said: `${isRatio(goal) ? `${Number(had.toPrecision(2))} ×` : show(had, goal)}; ${wantedOf(goal)}` }
    }),
  })), subtitle)
}
