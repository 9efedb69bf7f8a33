// The import itself: each file that a reader finds is judged as an upload would be, and kept in the same order of steps.
import pLimit from 'p-limit'
import type { Processes } from '../../images/processes/pool.ts'
import type { Asked, ImportRecords, Present } from '../../records/imports.ts'
import type { Owners } from '../../records/owners.ts'
import type { TombstoneRecords } from '../../records/tombstones.ts'
import type { Settling } from '../../records/sidecars.ts'
import { isFull } from '../../storage/failures.ts'
import { newBlobId } from '../../storage/ids.ts'
import { OldFileRefused } from '../../storage/old-folder.ts'
import type { StagedFile, Store } from '../../storage/store.ts'
import type { Progress } from '../progress.ts'
import { Refusal } from '../refusal.ts'
import { Unimportable, type Candidate, type Found, type Reader } from './candidate.ts'
import { copiesOf } from './copies.ts'
import { decide, isRemoved, type Decision } from './deciding.ts'
import { handOver } from './handing-over.ts'
import { keep } from './keeping.ts'
import { mistyped, natureOf, readSource, type Limits, type SourceBytes } from './reading.ts'
import { createTally, type Entry, type ImportReport, type ReportFile } from './tally.ts'
import { createTurns } from './turns.ts'

/** So that the disk's waiting is shared, and not the whole time. */
const atOnce = 16

/** Candidates that the database is asked about in one go. */
const askedAtOnce = 100

export type ImportTools = {
  readonly store: Store
  readonly records: ImportRecords
  readonly owners: Pick<Owners, 'epoch'>
  readonly settling: Settling
  readonly tombstones: Pick<TombstoneRecords, 'bury'>
  readonly limits: Limits
  readonly processes: Pick<Processes, 'run'>
  readonly now: () => Date
}

type Options = { readonly isDryRun: boolean, readonly progress: Progress, readonly lines?: ReportFile | undefined }

/**
 * Imports all that `reader` finds, or in a dry run finds out what would become of it.
 * @throws StorageFull and other failures of this side; what was imported by then stays, and the next run goes on
 */
export async function importAll (tools: ImportTools, reader: Reader, { isDryRun, progress, lines }: Options): Promise<ImportReport> {
  const tally = createTally({ isDryRun, lines })
  const limit = pLimit(atOnce)
  const inTurn = createTurns()
  const planned = isDryRun ? new Map<string, string>() : undefined
  const running = new Set<Promise<void>>()
  /** Old paths of what was removed here; and those of others, who may want theirs imported yet. */
  const removed = new Set<string>()
  const wanted = new Set<string>()
  const failure: { reason?: unknown, isThere: boolean } = { isThere: false }

  async function one (found: Found, asked: Promise<Asking>): Promise<void> {
    if (failure.isThere) return
    const entry = 'code' in found ? refusedEntry(found) : await inTurn(thingsOf(found), async () => importOne(tools, found, await asked, planned))
    const { paths = [] } = found
    if (isClaimed(found) && isRemoved(found, (await asked).presents.get(found), entry)) for (const path of paths) removed.add(path)
    else if (entry.outcome === 'refused') for (const path of paths) wanted.add(path)
    await tally.add(entry)
    progress.advance()
  }

  const fail = (reason: unknown) => { Object.assign(failure, failure.isThere ? {} : { reason, isThere: true }) }

  progress.step(isDryRun ? 'Looking' : 'Importing', await reader.count())
  for await (const group of grouped(reader.found())) {
    if (failure.isThere) break
    const asked = ask(tools, group)
    asked.catch(() => {})
    for (const found of group) {
      const work: Promise<void> = limit(() => one(found, asked)).catch(fail).finally(() => running.delete(work))
      running.add(work)
    }
    while (running.size > atOnce) await Promise.race(running)
  }
  await Promise.all(running)
  if (failure.isThere) throw stopped(failure.reason, tally.report())
  // Not before: a path of one who was erased may be that of others too, whose file has come in by now.
  if (!isDryRun) await tools.tombstones.bury([...removed].filter((path) => !wanted.has(path))).catch((error: unknown) => { throw stopped(error, tally.report()) })
  return tally.report()
}

type Claimed = Found & Asked

/** It is of somebody, and so may be of somebody who removed it here. */
const isClaimed = (found: Found): found is Claimed => !('code' in found) || (found.kind !== undefined && found.ownerId !== undefined && found.paths !== undefined)

/** What was here when a group was begun: the commit finds out what came since. */
type Asking = { readonly at: Date, readonly epoch: number, readonly presents: ReadonlyMap<Found, Present> }

async function ask ({ owners, records, now }: ImportTools, group: readonly Found[]): Promise<Asking> {
  const claimed = group.filter(isClaimed)
  // First: what is erased from now on, these must not bring back.
  const at = now()
  const epoch = await owners.epoch()
  const presents = await records.presentOf(claimed)
  return { at, epoch, presents: new Map(presents.map((present, index) => [claimed[index] as Found, present])) }
}

async function * grouped (all: AsyncIterable<Found>): AsyncGenerator<Found[]> {
  let group: Found[] = []
  for await (const found of all) {
    group.push(found)
    if (group.length < askedAtOnce) continue
    yield group
    group = []
  }
  yield group
}

/** A full disk is a clear answer; other failures say themselves what they are. */
function stopped (reason: unknown, { outcomes: { imported, changed } }: ImportReport): unknown {
  if (!isFull(reason)) return reason
  return new Refusal(`The storage is full: the import stopped after ${imported.files + changed.files} files, which are kept. Free some space on the volume, or lower DISK_RESERVE, and run it again: it goes on with the rest.`)
}

/** What no two may change at a time. */
const thingsOf = ({ kind, ownerId, paths }: Candidate): string[] => [...paths, ...(kind === 'avatar' ? [`the avatar of ${ownerId}`] : [])]

const refusedEntry = (refused: Extract<Found, { code: unknown }>): Entry => ({ ...refused, outcome: 'refused' })

async function importOne (tools: ImportTools, candidate: Candidate, asked: Asking, planned: Map<string, string> | undefined): Promise<Entry> {
  const { kind, source, ownerId, paths } = candidate
  const said = { source, kind, ownerId, paths }
  try {
    return { ...said, ...await judge(tools, candidate, asked, planned) }
  } catch (error) {
    if (error instanceof Unimportable) return { ...said, outcome: 'refused', code: error.code, reason: error.message, ...(error.size !== undefined && { size: error.size }) }
    if (error instanceof OldFileRefused) return { ...said, outcome: 'refused', code: error.fault, reason: error.message }
    throw error
  }
}

type Judged = Omit<Entry, 'source' | 'kind' | 'ownerId'>

async function judge (tools: ImportTools, candidate: Candidate, asked: Asking, planned: Map<string, string> | undefined): Promise<Judged> {
  const present = asked.presents.get(candidate)
  if (present === undefined) throw new TypeError('the candidate was not asked about')
  const staged = planned === undefined && present.latest === undefined ? await tools.store.stage() : undefined
  try {
    const bytes = await readSource(candidate, tools.limits, staged)
    return await judgeBytes(tools, { candidate, present, asked, staged, bytes, planned }).catch(withSize(bytes.size))
  } finally {
    await staged?.discard()
  }
}

/** What is refused after it was read is counted with its bytes. */
const withSize = (size: number) => (error: unknown): never => {
  throw error instanceof Unimportable ? new Unimportable(error.code, error.message, { size, cause: error }) : error
}

type Read = { readonly candidate: Candidate, readonly present: Present, readonly asked: Asking, readonly staged: StagedFile | undefined, readonly bytes: SourceBytes, readonly planned: Map<string, string> | undefined }

async function judgeBytes (tools: ImportTools, { candidate, present, asked: { at, epoch }, staged, bytes, planned }: Read): Promise<Judged> {
  const nature = await natureOf(candidate, bytes, tools.processes)
  const { sha256 } = bytes
  const claim = { ...candidate, sha256 }
  const before = planned === undefined ? await unlessCopied(tools, claim, present) : withPlanned(present, candidate, planned)
  const decision = decide(claim, before)
  const facts = { size: bytes.size, sha256, contentType: nature.contentType }
  const notes = [...candidate.notes, ...mistyped(nature, candidate.declaredType)]
  const judged: Judged = 'state' in decision && planned === undefined
    ? await keep(tools, { candidate, epoch, at, staged, bytes, nature, decision, notes })
    : { ...facts, ...entryOf(decision), notes: [...notes, ...decision.notes] }
  const copied = judged.outcome === 'refused' ? [] : [...copiesOf(claim, before).keys()]
  if (copied.length > 0 && planned === undefined) await handOver(tools, claim, epoch, judged)
  for (const path of [...judged.paths ?? [], ...copied]) planned?.set(path, sha256)
  return judged.paths === undefined ? judged : { ...judged, paths: [...judged.paths, ...copied] }
}

/** Copies are asked about again, as another candidate may have had them since its turn. */
async function unlessCopied ({ records }: ImportTools, claim: Candidate & { sha256: string }, present: Present): Promise<Present> {
  if (copiesOf(claim, present).size === 0) return present
  const [now = present] = await records.presentOf([claim])
  return now
}

const entryOf = (decision: Decision): Pick<Entry, 'outcome' | 'code' | 'reason' | 'paths'> =>
  'state' in decision ? { outcome: decision.outcome, paths: decision.paths } : decision

/** In a dry run, what would be behind a path by now. */
function withPlanned (present: Present, { paths, ownerId, createdAt }: Candidate, planned: ReadonlyMap<string, string>): Present {
  const takers = new Map(present.takers)
  for (const path of paths) {
    const sha256 = planned.get(path)
    if (sha256 !== undefined) takers.set(path, { id: newBlobId(), kind: 'avatar', state: 'live', ownerId, creatorId: null, visibility: null, source: 'this import', sourceSha256: sha256, stateAt: createdAt, createdAt })
  }
  return { ...present, takers }
}
