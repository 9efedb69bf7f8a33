// What becomes of one picture: noted where there is nothing personal in it, else replaced by a copy without that, which shows the same.
import { createHash, type Hash } from 'node:crypto'
import { isUndecodable, mayCutPixels, type Examining } from '../../images/examining.ts'
import { isOfThePicture } from '../../images/job-failures.ts'
import { applyEdits } from '../../images/metadata/apply.ts'
import type { Kind, Plan } from '../../images/metadata/plan.ts'
import type { PictureFile, PictureType } from '../../images/types.ts'
import { isOwnerErased } from '../../records/commits.ts'
import type { PictureCopies } from '../../records/picture-copies.ts'
import type { Settling } from '../../records/sidecars.ts'
import type { Seen, UnseenPictures } from '../../records/unseen-pictures.ts'
import { errnoOf, isFull } from '../../storage/failures.ts'
import { isMissing } from '../../storage/fallback/store.ts'
import type { BlobId } from '../../storage/ids.ts'
import type { Doomed } from '../../storage/ledger.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import type { LocalFile, Store } from '../../storage/store.ts'
import { writeAll } from '../../storage/write-all.ts'
import { isBusy, notLookedAt } from '../patience.ts'
import { reasonOf } from '../reason.ts'

/** So many changes can come between before it is given up. */
const attempts = 5

export type LeftCode = 'metadata-unreadable' | 'look-changes' | 'too-slow' | 'not-looked-at' | 'damaged' | 'missing' | 'busy' | 'failed'

export type Left = { readonly outcome: 'left', readonly code: LeftCode, /** The end of a sentence. */ readonly reason: string }

export type Outcome =
  | { readonly outcome: 'clean' }
  /** `bytes`: of the copy. `original`: is to be removed for good; absent in a dry run. */
  | { readonly outcome: 'stripped', readonly removed: readonly Kind[], readonly bytes: number, readonly original?: Doomed }
  /** Somebody else removed or replaced it, or looked into it. */
  | { readonly outcome: 'gone' }
  | Left

type Options = {
  readonly store: Pick<Store, 'localFile' | 'read' | 'stage' | 'publish' | 'removeForGood'>
  readonly pictures: Pick<UnseenPictures, 'note'>
  readonly copies: Pick<PictureCopies, 'replace'>
  readonly settling: Pick<Settling, 'settle'>
  readonly examining: Examining
  /** As it is now; undefined when there is nothing to do about it any more. */
  readonly look: (id: BlobId) => Promise<Sidecar | undefined>
  readonly isDryRun: boolean
}

export const left = (code: LeftCode, reason: string): Left => ({ outcome: 'left', code, reason })

const verifyIt = 'run "upload-gateway verify"'

/** What is wrong with this one; what would be wrong with the others as well is thrown on. */
export function leftBecause (error: unknown): Left {
  const code = errnoOf(error) ?? ''
  if (isFull(error) || code === 'DATABASE_UNAVAILABLE' || code === 'SERVICE_STOPPING') throw error
  if (code === 'ENOENT' || isMissing(error)) return left('missing', `its file is missing: ${verifyIt}`)
  if (code === 'UPLOAD_CONFLICT') return left('busy', 'something else changed it meanwhile: run this again')
  if (isBusy(error)) return left('not-looked-at', notLookedAt)
  if (code === 'JOB_TIMED_OUT' || code === 'JOB_CRASHED') return left('too-slow', `looking into it took too long, or ended the process that did (${reasonOf(error)})`)
  if (isOfThePicture(error)) return left('metadata-unreadable', `what is personal in it cannot be told, as its file cannot be followed to its end (${reasonOf(error)})`)
  return left('failed', `${reasonOf(error)}${error instanceof Error && error.cause instanceof Error ? `: ${reasonOf(error.cause)}` : ''}`)
}

export function createStripping ({ store, pictures, copies, settling, examining, look, isDryRun }: Options) {
  /** Nothing was or will be committed of it. */
  const takeBack = (draft: Sidecar) => store.removeForGood(draft)

  async function seen (one: Sidecar, file: PictureFile): Promise<Seen> {
    if (one.thumbhash !== null && one.width !== null && one.height !== null) return { thumbhash: one.thumbhash, width: one.width, height: one.height }
    const fresh = await examining.look(file, isUndecodable)
    return { thumbhash: one.thumbhash ?? fresh.thumbhash, width: one.width ?? fresh.width, height: one.height ?? fresh.height }
  }

  async function note (one: Sidecar, file: PictureFile): Promise<Outcome | undefined> {
    if (!await pictures.note(one, await seen(one, file))) return undefined
    return afterwards({ outcome: 'clean' }, one.id, 'it was noted that nothing personal is in it, but its sidecar could not be written yet')
  }

  /** What is committed stays so; a sidecar that could not be written is written by whoever settles next. */
  async function afterwards (done: Outcome, id: BlobId, otherwise: string): Promise<Outcome> {
    try {
      await settling.settle(id)
      return done
    } catch (error) {
      const { code, reason } = leftBecause(error)
      return left(code, `${otherwise} (${reason})`)
    }
  }

  /** Durable on the volume, but nobody is told of it yet. */
  async function draftOf (one: Sidecar, id: BlobId, file: PictureFile, { edits }: Plan, facts: Seen): Promise<Sidecar | Left> {
    const staged = await store.stage()
    try {
      const hash = createHash('sha256')
      const source = await store.read(one)
      await writeAll(staged, applyEdits(hashed(source, hash), edits))
      const { size, sha256 } = await staged.finish()
      if (hash.digest('hex') !== one.sha256) return left('damaged', `its bytes are not those that were uploaded: ${verifyIt}`)
      if (!await examining.isSameLook(file, staged.path, facts)) return left('look-changes', 'without what is personal in it, it would not look the same')
      const draft: Sidecar = { ...one, ...facts, id, size, sha256, revision: one.revision + 1, metadataRemoved: null, originalId: one.id }
      await store.publish(staged, draft)
      return draft
    } finally {
      await staged.discard()
    }
  }

  async function replace (one: Sidecar, id: BlobId, file: PictureFile, plan: Plan, facts: Seen): Promise<Outcome | undefined> {
    const draft = await draftOf(one, id, file, plan, facts)
    if ('outcome' in draft) return draft
    const removed = [...plan.removed]
    const copy = { ...draft, revision: draft.revision + 1, metadataRemoved: removed }
    const isReplaced = await copies.replace(one, copy).catch(async (error: unknown) => {
      // Of any other failure nobody knows what was committed.
      if (isOwnerErased(error) || errnoOf(error) === 'UPLOAD_CONFLICT') await takeBack(draft)
      throw error
    })
    if (!isReplaced) return takeBack(draft).then(() => undefined)
    return afterwards({ outcome: 'stripped', removed, bytes: copy.size, original: one }, id, 'its copy without metadata is in its place, but the copy\'s sidecar could not be written yet, and what was there is kept until then: run this again')
  }

  /** @throws StorageFull also when the disk that it is brought to is full, as it would be for the others */
  function localFile (one: Sidecar): Promise<LocalFile | Left> {
    return store.localFile(one).catch((error: unknown) => leftBecause(error instanceof Error && isFull(error.cause) ? error.cause : error))
  }

  /** Undefined when it was changed meanwhile. */
  async function once (one: Sidecar, copyId: BlobId): Promise<Outcome | undefined> {
    const local = await localFile(one)
    if ('outcome' in local) return local
    try {
      const file = { path: local.path, contentType: one.contentType as PictureType }
      const plan = await examining.plan(file)
      if (plan.edits.length === 0) return isDryRun ? { outcome: 'clean' } : await note(one, file)
      const dry: Outcome = { outcome: 'stripped', removed: plan.removed, bytes: sizeAfter(one.size, plan) }
      if (isDryRun && plan.cutsUnclaimed === undefined) return dry
      const facts = await seen(one, file)
      if (mayCutPixels(plan, facts)) return left('metadata-unreadable', 'it is damaged, and what would be taken out of it may be part of what it shows')
      return isDryRun ? dry : await replace(one, copyId, file, plan, facts)
    } catch (error) {
      return isOwnerErased(error) ? { outcome: 'gone' } : leftBecause(error)
    } finally {
      await local.release()
    }
  }

  /** `copyId`: of the copy, if there is to be one. @throws StorageFull, DatabaseUnavailable, ServiceStopping */
  return async (candidate: Sidecar, copyId: BlobId): Promise<Outcome> => {
    let one = candidate
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await once(one, copyId)
      if (outcome !== undefined && outcome.outcome !== 'left') return outcome
      const now = await look(one.id)
      // What was wrong with it was so because somebody was at it.
      const isChanged = now?.revision !== one.revision
      if (outcome?.code === 'failed' || (outcome !== undefined && !isChanged)) return outcome
      if (now === undefined) return { outcome: 'gone' }
      if (attempt === attempts) return left('busy', `it could not be recorded, as something else changed it each time, or as its records contradict each other: run this again, or ${verifyIt}`)
      one = now
    }
  }
}

async function * hashed (source: AsyncIterable<unknown>, hash: Hash): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    hash.update(chunk as Buffer)
    yield chunk as Buffer
  }
}

const sizeAfter = (size: number, { edits }: Plan): number => edits.reduce((sum, { start, end, replacement }) => sum - (end - start) + replacement.length, size)
