// How complete bytes become what they are for, exactly once: driven by the row, begun again by whoever comes first after an end in the middle.
import { ResumableGone } from '../errors.ts'
import { together, type Alongside } from '../records/commits.ts'
import type { Quota } from '../records/quota.ts'
import { newBlobId, type UploadId } from '../storage/ids.ts'
import type { Segment, Segments } from '../storage/segments.ts'
import type { StagedFile, Store } from '../storage/store.ts'
import { createDigesting, requireSame, type Algorithm } from '../transfer/digest.ts'
import type { ReceivedFile } from '../transfer/receive.ts'
import { failureError, failureOf, isPermanent, notYet } from './failure.ts'
import type { ResumableRecords, Upload } from './records.ts'
import type { Room } from './room.ts'

/** Who is at it holds it for so long, and extends that: of a process that died others wait for no more than this. */
const heldMs = 15_000
const extendEveryMs = 5_000

/** After an attempt that failed for reasons of the service: each copies all bytes. */
const leastRetryMs = 30_000
const mostRetryMs = 3_600_000

const mostPerRun = 100

/** What the bytes of an upload are for, once they are complete. */
export type Purpose = {
  /** The same checks as of an upload in one piece, then blob, rows and `alongside` in one commit. The staged file is used up, or left to the caller. */
  finish (upload: Upload, file: ReceivedFile, alongside: Alongside): Promise<void>
  /** The file's name and type, and the fields, as the metadata says them. */
  fileOf (upload: Upload): Pick<ReceivedFile, 'filename' | 'declaredType' | 'fields'>
}

export type Finishing = ReturnType<typeof createFinishing>

type Options = {
  records: ResumableRecords
  segments: Segments
  store: Pick<Store, 'stage' | 'adopt' | 'removeForGood'>
  quota: Pick<Quota, 'settling'>
  purpose: Purpose
  room: Room
  /** How long bytes that are not needed right now are kept. */
  expiryMs: number
  /** How long an upload that is finished or has failed still answers for itself. */
  keptMs: number
  now: () => Date
  /** Hears of what will be tried again by itself. */
  warn: (error: unknown, message: string) => void
}

export function createFinishing ({ records, segments, store, quota, purpose, room, expiryMs, keptMs, now, warn }: Options) {
  const attempts = new Map<UploadId, Promise<Upload>>()
  let isStopping = false
  const later = (ms: number) => new Date(now().getTime() + ms)

  async function segmentsOf ({ id, parts }: Upload): Promise<Segment[]> {
    const all: Segment[] = []
    for (const one of parts ?? [id]) for (const segment of await records.segments(one)) all.push(segment)
    return all
  }

  /** The file that the bytes are in already, if they are in one. */
  async function adopted (counted: readonly Segment[]): Promise<StagedFile | undefined> {
    const whole = store.adopt && await segments.whole(counted)
    return whole && store.adopt?.(whole)
  }

  /** The bytes in one file, with those of `missing`, held against what was said of them. @throws ResumableGone, UploadDigestMismatch */
  async function assemble (upload: Upload, staged: StagedFile, missing: readonly Segment[]): Promise<ReceivedFile> {
    const digesting = createDigesting(otherAlgorithms(upload))
    for await (const chunk of segments.read(missing)) {
      digesting.update(chunk)
      await staged.write(chunk)
      room.consume(upload.id, chunk.length)
    }
    const { size, sha256 } = await staged.finish()
    if (size !== upload.length) throw new ResumableGone()
    const actual = { ...digesting.end(), 'sha-256': sha256 }
    for (const { where, digests } of upload.digests) requireSame(where, digests, actual)
    return { staged, size, sha256, fieldName: '', ...purpose.fileOf(upload) }
  }

  /** Nothing of it is needed any more but its row. What fails here is done again by upkeep. */
  async function clear ({ id, parts = [] }: Upload): Promise<void> {
    try {
      for (const one of [id, ...parts]) await segments.remove(one)
    } catch (error) {
      warn(error, 'what is left of a resumable upload could not be removed yet')
    }
  }

  async function fail (upload: Upload, error: unknown): Promise<never> {
    if (await records.fail(upload, failureOf(error), later(keptMs)) === undefined) throw error
    await clear({ ...upload, parts: undefined })
    // Something else may be made of them, for as long as of any.
    if (upload.parts !== undefined) await records.extend(upload.parts, later(expiryMs))
    throw error
  }

  async function become (upload: Upload): Promise<void> {
    const { id, creator, ownerId, length = 0 } = upload
    const counted = await segmentsOf(upload)
    await room.need(id, length)
    // For others than sha-256 all bytes have to be read.
    const whole = otherAlgorithms(upload).length === 0 ? await adopted(counted) : undefined
    const staged = whole ?? await store.stage()
    try {
      const file = await assemble(upload, staged, whole === undefined ? counted : [])
      await purpose.finish(upload, file, together([quota.settling({ callerId: creator.id, ownerIds: [ownerId] }), records.finishing(upload, later(keptMs))]))
    } finally {
      await staged.discard()
      room.release(id)
    }
  }

  /** Until what it returns is called. */
  function hold (claimed: Upload): () => Promise<void> {
    let extended = Promise.resolve()
    const timer = setInterval(() => {
      extended = records.keepHeld(claimed, later(heldMs)).catch((error: unknown) => warn(error, 'another process may begin to finish a resumable upload that this one is at'))
    }, extendEveryMs)
    return async () => {
      clearInterval(timer)
      await extended
    }
  }

  /** For as long again as it has waited up to now. */
  const retryMs = ({ createdAt, completeAt = createdAt }: Upload): number =>
    Math.min(Math.max(now().getTime() - completeAt.getTime(), leastRetryMs), mostRetryMs)

  async function attempt (upload: Upload, isFirst: boolean): Promise<Upload> {
    const { id, kind } = upload
    const claimed = await records.claim(upload, newBlobId(), later(heldMs))
    if (claimed === undefined) return standing(id)
    const letGo = hold(claimed)
    try {
      try {
        // Who made that can commit it no more.
        if (!isFirst && kind !== 'part') await store.removeForGood({ kind, id: upload.blobId, extension: 'bin' })
        await become(claimed)
      } finally {
        await letGo()
      }
    } catch (error) {
      const row = await records.find(id)
      if (row === undefined) throw new ResumableGone({ cause: error })
      if (row.epoch !== claimed.epoch || row.state !== 'finishing') return standing(id)
      if (isPermanent(failureOf(error))) return fail(claimed, error)
      await records.postpone(claimed, later(retryMs(claimed)))
      throw error
    }
    await clear(claimed)
    return standing(id)
  }

  /** As it is now, that somebody else was faster. @throws ResumableFinishing while they are at it */
  async function standing (id: UploadId): Promise<Upload> {
    const upload = await records.find(id)
    if (upload === undefined) throw new ResumableGone()
    if (upload.state === 'finishing') throw notYet('another process is at it')
    return told(upload)
  }

  /** Finishes it if that is due; all who ask meanwhile get the same. @throws why it came to nothing, or ResumableFinishing when it cannot be finished right now */
  async function finish (upload: Upload, { isFirst = false } = {}): Promise<Upload> {
    if (upload.state !== 'finishing') return told(upload)
    const pending = attempts.get(upload.id)
    if (pending !== undefined) return pending
    const own = attempt(upload, isFirst).catch((error: unknown) => { throw reasonOf(error) }).finally(() => attempts.delete(upload.id))
    attempts.set(upload.id, own)
    return own
  }

  /** What those are told who ask for it. What keeps it waiting is the operator's to know. */
  function reasonOf (error: unknown): unknown {
    if (isPermanent(failureOf(error))) return error
    warn(error, 'a resumable upload could not be finished yet')
    return notYet(error)
  }

  return {
    finish,
    fail,

    /** When somebody else is to look after what has just become complete. */
    nextTry: (): Date => later(heldMs),

    /** All that is due and that nobody is at. `isStart`: also what was to be tried later. Returns how many are finished. */
    async finishDue ({ isStart = false } = {}): Promise<number> {
      let finished = 0
      for (const upload of await records.due({ isEarly: isStart, limit: mostPerRun })) {
        if (isStopping) break
        await finish(upload).then(() => { finished += 1 }, () => {})
      }
      return finished
    },

    /** When the attempt at this one is over, if there is one. */
    async settled (id: UploadId): Promise<void> {
      await attempts.get(id)?.catch(() => {})
    },

    /** Begins no more by itself, and waits for those that are under way. */
    async close (): Promise<void> {
      isStopping = true
      await Promise.allSettled(attempts.values())
    },
  }
}

/** The sha-256 comes with staging. */
const otherAlgorithms = ({ digests }: Upload): Algorithm[] =>
  digests.flatMap(({ digests }) => Object.keys(digests) as Algorithm[]).filter((algorithm) => algorithm !== 'sha-256')

/** @throws why it came to nothing */
function told (upload: Upload): Upload {
  if (upload.failure !== undefined) throw failureError(upload.failure)
  return upload
}
