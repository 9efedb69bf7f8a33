// What the parts of a check share: the volume, the rows, the pace, and when to stop.
import { setTimeout } from 'node:timers/promises'
import type { Inventory } from '../../records/inventory.ts'
import type { Journaled } from '../../records/journaled.ts'
import type { Pace } from '../../storage/pace.ts'
import type { Progress } from '../progress.ts'
import type { Workplace } from '../workplace.ts'
import type { Findings } from './observed.ts'

export type Surroundings = Pick<Workplace, 'fs' | 'root' | 'client' | 'now' | 'isOwn'> & { readonly storage: Pick<Workplace['storage'], 'hash' | 'erasures' | 'tombstones' | 'staging'> }

export type Context = Pick<Surroundings, 'fs' | 'root' | 'now' | 'storage' | 'isOwn'> & {
  readonly inventory: Inventory
  readonly journaled: Journaled
  readonly progress: Progress
  readonly findings: Findings
  /** Files at once, and rows a page. */
  readonly concurrency: number
  readonly pageSize: number
  readonly signal: AbortSignal | undefined
  readonly pace: Pace
  readonly pause: (ms: number) => Promise<void>
}

export const pausing = (signal: AbortSignal | undefined) => async (ms: number): Promise<void> => { await setTimeout(ms, undefined, { ...(signal !== undefined && { signal }) }) }

/** Between two looks at what may be wrong: longer than a request takes from a row to its sidecar, unless it waits for the disk. */
export const lookAgainMs = 250
