// Checks a live volume against its rows, and names what is wrong, file by file. Changes nothing, and runs beside gateways at work.
import { createInventory } from '../records/inventory.ts'
import { createJournaled } from '../records/journaled.ts'
import { withoutRest, type Pace } from '../storage/pace.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import { erasuresFile } from '../storage/volume/layout.ts'
import type { Verification } from './finding.ts'
import type { Progress } from './progress.ts'
import { sampleOf } from './sample.ts'
import { pausing, type Context, type Surroundings } from './verify/context.ts'
import { checkDangling } from './verify/dangling.ts'
import { readErased } from './verify/erased.ts'
import { checkFiles } from './verify/files.ts'
import { checkJournals, unreadableJournals } from './verify/journals.ts'
import { createFindings, type Findings } from './verify/observed.ts'
import { relate } from './verify/relate.ts'
import { checkRows, type ReadsBytes, type RowCounts } from './verify/rows.ts'

export type VerifyOptions = {
  /** The share of files whose bytes are read, from 0 to 1, but more where they are few; of the others only the size is compared. */
  readonly sample?: number
  /** So many bytes are read at most. */
  readonly maxBytes?: number
  /** Bytes are read of files with ids after this one only: where an earlier check, bounded by `maxBytes`, left off. */
  readonly after?: string
  /** Read in any case. */
  readonly always?: ReadonlySet<string>
  readonly progress: Progress
  readonly concurrency?: number
  readonly pageSize?: number
  readonly signal?: AbortSignal
  /** Beside requests; one file at a time then. */
  readonly pace?: Pace
  /** False: what may be an upload in flight is left to the next check. */
  readonly waitsForUploads?: boolean
  /** Hears how far it is after each page. `cursor`: for `after`. */
  readonly onPage?: (reached: { readonly cursor: string, readonly hashedBytes: number }) => Promise<void>
  readonly pause?: (ms: number) => Promise<void>
  readonly random?: () => number
  readonly findings?: Findings
}

export type VolumeVerification = Verification & {
  /** The last id whose bytes were read when `maxBytes` ended the reading; undefined when all were read. */
  readonly cursor: string | undefined
}

/** @throws only when volume or database cannot be read at all, or `signal` is aborted */
export async function verifyVolume (surroundings: Surroundings, options: VerifyOptions): Promise<VolumeVerification> {
  const context = contextFor(surroundings, options)
  const { findings, inventory } = context
  const reading = createReading({ ...options, sample: sampleOf(await inventory.count(), options.sample ?? 1) })
  const unreadable = await unreadableJournals(context)
  findings.add(...unreadable)
  const isErased = unreadable.some(({ path }) => path === erasuresFile) ? () => false : await readErased(context)
  const counts = await checkRows(context, { isErased, readsBytes: reading.readsBytes, onPage: reported(options, reading) })
  await checkFiles(context, { isErased, waitsForUploads: options.waitsForUploads ?? true })
  findings.add(...await checkDangling(context))
  if (unreadable.length === 0) findings.add(...await checkJournals(context))
  const more = findings.count() - findings.list.length
  return { ...counts, cursor: reading.cursor(), findings: relate(findings.list).map(({ expected, actual, ...finding }) => finding), ...(more > 0 && { moreFindings: more }) }
}

function contextFor ({ fs, root, client, now, storage, isOwn }: Surroundings, { progress, concurrency = 8, pageSize = 500, signal, pace = withoutRest, pause, findings = createFindings() }: VerifyOptions): Context {
  return { fs, root, now, storage, isOwn, inventory: createInventory(client), journaled: createJournaled(client), progress, findings, concurrency, pageSize, signal, pace, pause: pause ?? pausing(signal) }
}

type Reading = {
  readonly readsBytes: ReadsBytes
  /** Where the reading ended; undefined when it came to the end. */
  cursor (): string | undefined
  /** How far it is once all up to `lastId` are checked. */
  reached (lastId: string): string
}

/** Decides whose bytes are read: by lot, in the order of the ids, and within the budget, which one file may exceed. */
function createReading ({ sample, maxBytes = Infinity, after = '', always = new Set(), random = Math.random }: VerifyOptions & { readonly sample: number }): Reading {
  let left = maxBytes
  let isSpent = false
  let last = after
  return {
    readsBytes ({ id, size }: Sidecar) {
      if (always.has(id)) return true
      if (isSpent || id <= after || random() >= sample) return false
      isSpent = left <= 0
      if (isSpent) return false
      left -= size
      last = id
      return true
    },
    cursor: () => isSpent ? last : undefined,
    reached: (lastId) => isSpent || lastId < after ? last : lastId,
  }
}

function reported ({ onPage }: VerifyOptions, reading: Reading) {
  if (onPage === undefined) return undefined
  return (lastId: string, { hashedBytes }: RowCounts) => onPage({ cursor: reading.reached(lastId), hashedBytes })
}
