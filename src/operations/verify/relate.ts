// What several findings say together: files whose names were swapped, and files that lie in a wrong folder.
import { basename } from 'node:path'
import { mends, type Observed } from './observed.ts'

export function relate (observed: readonly Observed[]): Observed[] {
  return misplaced(swapped(observed))
}

/** Its bytes are those that another one ought to have, which has other bytes too. */
function swapped (observed: readonly Observed[]): Observed[] {
  const wanting = new Map(observed.filter(({ expected }) => expected !== undefined).map((one) => [one.expected, one]))
  const having = new Map(observed.filter(({ actual }) => actual !== undefined).map((one) => [one.actual, one]))
  return observed.map((one) => {
    const owner = one.actual === undefined ? undefined : wanting.get(one.actual)
    const holder = one.expected === undefined ? undefined : having.get(one.expected)
    if (owner === undefined || holder === undefined) return one
    return { ...one, problem: 'blob-swapped', mend: mends['blob-swapped'], detail: `The file has the bytes of ${owner.path}; its own are in ${holder.path}.` }
  })
}

/** A missing file and one of its very name elsewhere are one thing that is wrong. */
function misplaced (observed: readonly Observed[]): Observed[] {
  const missing = new Set(observed.filter(({ problem }) => problem === 'blob-missing' || problem === 'sidecar-missing').map(({ path }) => basename(path)))
  const elsewhere = new Map(observed.filter(({ problem, path }) => problem === 'foreign' && missing.has(basename(path))).map(({ path }) => [basename(path), path]))
  return observed.flatMap((one) => {
    const found = elsewhere.get(basename(one.path))
    if (found === undefined) return [one]
    if (one.problem === 'foreign') return one.path === found ? [] : [one]
    return [{ ...one, detail: `${one.detail} A file of its name is in another place: ${found}.`, mend: '"upload-gateway audit --repair" puts it back.' }]
  })
}
