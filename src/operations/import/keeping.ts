// Keeps one file that may come in: durable on the volume, read back, and only then committed. What may come in is not decided here.
import { createHash } from 'node:crypto'
import { UploadConflict } from '../../errors.ts'
import { isOwnerErased } from '../../records/commits.ts'
import type { ImportRecords, KnownRecord, Placing, Present } from '../../records/imports.ts'
import type { Settling } from '../../records/sidecars.ts'
import { newBlobId, newRecordId, timeOf, type BlobId } from '../../storage/ids.ts'
import { OldFileRefused } from '../../storage/old-folder.ts'
import { unseen, type Sidecar } from '../../storage/sidecar.ts'
import type { StagedFile, Store } from '../../storage/store.ts'
import { cleanFilename } from '../../transfer/filename.ts'
import { Unimportable, type Candidate } from './candidate.ts'
import { decide, type Decision, type Place } from './deciding.ts'
import { readSource, type Limits, type Nature, type SourceBytes } from './reading.ts'
import type { Entry } from './tally.ts'

/** So many changes can come between before it is given up. */
const attempts = 20

type Tools = { readonly store: Store, readonly records: ImportRecords, readonly settling: Settling, readonly limits: Limits, readonly now: () => Date }

export type Keeping = {
  readonly candidate: Candidate
  readonly epoch: number
  /** Before it was asked what is here. */
  readonly at: Date
  /** The bytes, where they were staged as they were read. */
  readonly staged: StagedFile | undefined
  readonly bytes: SourceBytes
  readonly nature: Nature
  readonly decision: Place
  readonly notes: readonly string[]
}

/** What became of it. @throws Unimportable, OldFileRefused, StorageFull, StorageUnavailable, DatabaseUnavailable */
export async function keep (tools: Tools, keeping: Keeping): Promise<Omit<Entry, 'source' | 'kind' | 'ownerId'>> {
  const id = newBlobId()
  const settled = await settle(tools, keeping, id)
  const { bytes: { size, sha256 }, nature: { contentType }, notes } = keeping
  if (!('state' in settled)) return { size, sha256, contentType, ...settled, notes: [...notes, ...settled.notes] }
  return { size, sha256, contentType, id, outcome: settled.outcome, paths: settled.paths, notes: [...notes, ...settled.notes] }
}

async function settle (tools: Tools, keeping: Keeping, id: BlobId): Promise<Decision> {
  const { store, now } = tools
  let decision: Decision = keeping.decision
  let sidecar = sidecarOf(keeping, keeping.decision, id, await recordOf(tools, keeping.decision), keeping.at)
  await publish(tools, keeping, sidecar)
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const placed = await place(tools, sidecar, decision)
    if (placed === 'done') return decision
    const at = now()
    // No row points at it, and none will, unless it is tried again.
    const removing = () => store.remove(sidecar)
    decision = placed === 'erased' ? erased : decide({ ...keeping.candidate, sha256: sidecar.sha256 }, await orUndo(presentOf(tools, keeping), removing))
    if (!('state' in decision)) return removing().then(() => decision)
    sidecar = sidecarOf(keeping, decision, id, await orUndo(recordOf(tools, decision), removing), at)
    await orUndo(store.writeSidecar(sidecar), removing)
  }
  await store.remove(sidecar)
  throw new UploadConflict()
}

/** Nothing is committed of a blob: when `work` fails, it is not to look as if it lived. */
async function orUndo<T> (work: Promise<T>, undo: () => Promise<void>): Promise<T> {
  return work.catch(async (error: unknown) => {
    // Else the sweep does it.
    await undo().catch(() => {})
    throw error
  })
}

async function presentOf ({ records }: Tools, { candidate }: Keeping): Promise<Present> {
  const [present] = await records.presentOf([candidate])
  if (present === undefined) throw new TypeError('one was asked for')
  return present
}

const erased: Decision = { outcome: 'kept', code: 'erased', reason: 'the owner was erased here while it was imported', notes: [] }

/** Blob and sidecar are durable, and the volume gives back what the source had. */
async function publish ({ store, limits }: Tools, { candidate, staged: first, bytes }: Keeping, sidecar: Sidecar): Promise<void> {
  const staged = first ?? await store.stage()
  try {
    if (first === undefined && (await readSource(candidate, limits, staged)).sha256 !== bytes.sha256) throw new OldFileRefused('changing')
    await store.publish(staged, sidecar)
  } finally {
    await staged.discard()
  }
  if (await orUndo(hashOf(store, sidecar), () => store.remove(sidecar)) === bytes.sha256) return
  await store.remove(sidecar)
  throw new Unimportable('read-back', 'what was read back from the volume is not what was written to it')
}

async function hashOf (store: Store, sidecar: Sidecar): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of await store.read(sidecar)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

async function place ({ store, records, settling }: Tools, sidecar: Sidecar, { movedPaths, replaces, current, ownerCommits }: Place): Promise<'done' | 'erased' | 'stale'> {
  const placing: Placing = { sidecar, movedPaths, replaces, current, ownerCommits }
  try {
    if (!await records.place(sidecar.ownerId ?? '', placing)) return 'stale'
  } catch (error) {
    if (isOwnerErased(error)) return 'erased'
    // The sweep had the blob first; a sidecar may have been written behind it.
    if (error instanceof UploadConflict) await store.remove(sidecar)
    throw error
  }
  // Of the new blob where it took over what may have been changed meanwhile.
  for (const id of new Set([current, replaces?.id, replaces && sidecar.id])) if (id !== undefined) await settling.settle(id)
  return 'done'
}

/** Of the attachment whose bytes are replaced: what was said of it here stays. */
const recordOf = async ({ records }: Tools, { replaces }: Place): Promise<KnownRecord | undefined> =>
  replaces?.kind === 'attachment' ? records.recordOf(replaces.id) : undefined

function sidecarOf ({ candidate, epoch, bytes, nature }: Keeping, { state, paths }: Place, id: BlobId, record: KnownRecord | undefined, at: Date): Sidecar {
  const { kind, source, isOwnerless } = candidate
  // What has no date is marked by that of its id.
  const createdAt = candidate.isDated ? candidate.createdAt : timeOf(id)
  const { size, sha256 } = bytes
  const said = record ?? (kind === 'avatar' ? noRecord(candidate) : newRecord(candidate, nature))
  return {
    version: 1, id, kind, state, revision: 1, creatorId: isOwnerless ? candidate.ownerId : null, epoch, source, size, sha256, sourceSha256: sha256, ...unseen, ...nature, ...said,
    // Of an earlier version the time until it is purged begins now; whoever removes their picture after the question removes it as well.
    stateAt: (state === 'live' ? createdAt : at).toISOString(),
    createdAt: createdAt.toISOString(),
    aliases: [...paths],
  }
}

const noRecord = ({ ownerId }: Candidate): KnownRecord => ({ ownerId, recordId: null, filename: null, visibility: null, contextType: null, contextId: null, alt: null })

function newRecord ({ ownerId, filename, visibility, contextType, contextId }: Candidate, { extension }: Nature): KnownRecord {
  return { ownerId, recordId: newRecordId(), filename: cleanFilename(filename ?? '') ?? `file.${extension}`, visibility, contextType, contextId, alt: null }
}
