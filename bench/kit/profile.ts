// What the gateways of a load did with their time, thread by thread, as V8's sampling profiler saw it.
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { head, row } from './table.ts'

/** Options of Node: each process and thread leaves its profile in the folder when it ends. */
export const profilingInto = (folder: string): string[] => ['--cpu-prof', `--cpu-prof-dir=${folder}`]

/** Microseconds on the clock that profiles have. */
export const profileClock = (): number => Number(process.hrtime.bigint() / 1000n)

export type Span = { readonly from: number, readonly to: number }

/** Chrome DevTools Protocol, Profiler.Profile. */
type Profile = {
  readonly nodes: ReadonlyArray<{ readonly id: number, readonly callFrame: { readonly functionName: string, readonly url: string, readonly lineNumber: number } }>
  readonly startTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const resting = '(idle)'
/** Of V8 itself, and what it calls them. */
const own: Readonly<Record<string, string>> = { [resting]: 'idle', '(garbage collector)': 'garbage collection', '(program)': 'outside JavaScript' }
const most = 10
/** Threads that did less are not worth a table. */
const leastBusyMs = 500

/** A library, a module of Node, or a folder of the gateway. */
function homeOf (url: string): string {
  if (url === '') return 'native functions'
  if (!url.startsWith('file:')) return url
  const path = relative(root, fileURLToPath(url))
  const [, library] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? []
  return library ?? path.split('/').slice(0, 2).join('/')
}

function summary ({ nodes, startTime, samples, timeDeltas }: Profile, { from, to }: Span): string | undefined {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const [shares, functions, homes] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()]
  const add = (sums: Map<string, number>, name: string, time: number): void => { sums.set(name, (sums.get(name) ?? 0) + time) }
  let [all, busy, at] = [0, 0, startTime]
  for (const [index, id] of samples.entries()) {
    at += timeDeltas[index] ?? 0
    const frame = frames.get(id)
    // A sample stands for the time until the next.
    const time = timeDeltas[index + 1] ?? 0
    if (frame === undefined || at < from || at > to) continue
    all += time
    const { functionName: name, url, lineNumber } = frame
    if (name !== resting) busy += time
    if (own[name] !== undefined) {
      add(shares, name, time)
      continue
    }
    add(functions, `${name === '' ? '(anonymous)' : name} | ${homeOf(url)}${url.startsWith('file:') ? `, ${url.slice(url.lastIndexOf('/') + 1)}:${lineNumber + 1}` : ''}`, time)
    add(homes, homeOf(url), time)
  }
  if (busy < leastBusyMs * 1000) return undefined
  const share = (time: number): string => `${(time / all * 100).toFixed(1)} %`
  const heaviest = (sums: Map<string, number>): string[] => [...sums].sort(([, one], [, other]) => other - one).slice(0, most).map(([name, time]) => row(share(time), name))
  return [
    `${(all / 1e6).toFixed(1)} s: ${Object.entries(own).map(([name, said]) => `${said} ${share(shares.get(name) ?? 0)}`).join(', ')}`, '',
    head('itself', 'function', 'where'), ...heaviest(functions), '',
    head('itself', 'library or folder'), ...heaviest(homes), '',
  ].join('\n')
}

/** Of all threads that were at work in that span. */
export async function summaries (folder: string, span: Span): Promise<string[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.cpuprofile')).sort()
  const all = await Promise.all(files.map(async (name) => {
    const text = summary(JSON.parse(await readFile(join(folder, name), 'utf8')) as Profile, span)
    return text === undefined ? [] : [`${join(relative(root, folder), name)}, ${text}`]
  }))
  return all.flat()
}
