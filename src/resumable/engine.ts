// Resumable uploads, apart from how they are spoken of over HTTP: bytes become durable piece by piece, and the whole becomes an attachment or an avatar once.
import { actsForOthers, type Caller, type UserId } from '../callers/caller.ts'
import { QuotaExceeded, ResumableFinal, ResumableGone, ResumableInvalid, ResumableNotFound, ResumableOffsetWrong, ResumableTakenOver, UploadTooLarge } from '../errors.ts'
import type { Alongside } from '../records/commits.ts'
import type { Quota } from '../records/quota.ts'
import { errnoOf } from '../storage/failures.ts'
import { newBlobId, newRecordId, newUploadId, type UploadId } from '../storage/ids.ts'
import type { SegmentFile, Segments } from '../storage/segments.ts'
import { createAdmissions, type Admission } from './admission.ts'
import type { Check } from './checks.ts'
import { failureError } from './failure.ts'
import type { Finishing } from './finishing.ts'
import type { Leases } from './leases.ts'
import type { ResumableRecords, StatedDigests, Upload, UploadKind } from './records.ts'
import type { Room } from './room.ts'
import { createUpkeep, finishPatienceMs } from './upkeep.ts'

/** How much, and for how long, is lost at most of one long request when the process is killed. */
const commitBytes = 16 * 1024 ** 2
const commitMs = 5_000

/** The rest of it comes while these are made durable. */
const enoughBytes = commitBytes / 2

/** What is to be made. */
export type Wish = {
  readonly ownerId: UserId
  readonly kind: UploadKind
  /** Bytes; undefined while it is not known. */
  readonly length: number | undefined
  /** As the client sent it. */
  readonly metadata: string | undefined
  /** Uploads of kind part, all there, that it is made of. */
  readonly parts: readonly string[] | undefined
  readonly digests: readonly StatedDigests[]
  /** How many erasures there had been when it began. */
  readonly erasureEpoch: number
}

/** What one request brings. */
export type Piece = {
  /** Where the client thinks that the upload stands. */
  readonly offset: number
  /** Of the whole, when it was not known before. */
  readonly length: number | undefined
  /** Bytes that are announced; undefined when nobody knows. */
  readonly declaredBytes: number | undefined
  /** All of its bytes are kept, or none, unless there are none of these. */
  readonly checks: readonly Check[]
  /** All that comes, at most `maxBytes`, until the body ends, or `signal` or something else ends it: then it throws why. */
  readonly receive: (limits: { maxBytes: number, signal: AbortSignal }) => AsyncIterable<Buffer>
}

export type Engine = ReturnType<typeof createEngine>

type Options = {
  records: ResumableRecords
  segments: Segments
  room: Room
  quota: Pick<Quota, 'reserve'>
  leases: Leases
  finishing: Finishing
  /** Bytes, of each kind. */
  maxBytes: Readonly<Record<UploadKind, number>>
  /** Since the last bytes. */
  expiryMs: number
  now: () => Date
}

export function createEngine ({ records, segments, room, quota, leases, finishing, maxBytes, expiryMs, now }: Options) {
  const later = (ms: number) => new Date(now().getTime() + ms)

  /** @throws ResumableNotFound also for those who may not see it; ResumableGone when it has expired */
  async function visible (caller: Caller, id: UploadId): Promise<Upload> {
    const upload = await records.find(id)
    if (upload === undefined || !maySee(caller, upload)) throw new ResumableNotFound()
    if (upload.state !== 'finishing' && upload.expiresAt <= now()) throw new ResumableGone()
    return upload
  }

  const { reserving, admit } = createAdmissions(quota)

  /** The upload, held by nobody else from now on, and for whom bytes come until `expiresAt`. When it takes no more bytes, as it is. */
  async function taken (id: UploadId, expiresAt?: Date): Promise<Upload> {
    const upload = await records.hold(id, expiresAt) ?? await records.find(id)
    if (upload === undefined) throw new ResumableGone()
    return upload
  }

  /** Why a compare-and-set failed. */
  async function overtaken (id: UploadId): Promise<Error> {
    const upload = await records.find(id)
    if (upload === undefined) {
      // Who ended it may have been too early to see what was set aside for it since.
      room.release(id)
      return new ResumableGone()
    }
    return upload.failure === undefined ? new ResumableTakenOver() : failureError(upload.failure)
  }

  /** Whose upload is gone, or held by another, may find no folder to write to. */
  const writing = async <T>({ id, epoch }: Upload, work: () => Promise<T>): Promise<T> => work().catch(async (error: unknown) => {
    throw (await records.find(id))?.epoch === epoch ? error : await overtaken(id)
  })

  const held = async (id: UploadId, changed: Upload | undefined): Promise<Upload> => {
    if (changed === undefined) throw await overtaken(id)
    return changed
  }

  async function withLength (upload: Upload, length: number | undefined): Promise<Upload> {
    if (length === undefined || length === upload.length) return upload
    if (upload.length !== undefined) throw new ResumableInvalid('its length was given before, and was another')
    if (length < upload.offset) throw new ResumableInvalid('it has more bytes already than the length says')
    if (length > maxBytes[upload.kind]) throw new UploadTooLarge(maxBytes[upload.kind])
    return reserving(upload, { bytes: length - upload.offset, files: 0 }, async () => held(upload.id, await records.setLength(upload, length)))
  }

  const wholeOf = ({ length, kind }: Upload): number => length ?? maxBytes[kind]

  /** In which state the last byte leaves it, and when it is finished in any case. */
  const ending = ({ kind }: Upload) => kind === 'part' ? { ends: 'finished', finishAt: null } as const : { ends: 'finishing', finishAt: finishing.nextTry() } as const

  /** Writes what comes; all of it counts, also when it ends in the middle, unless it is to be checked or would end with more to come. */
  async function write (upload: Upload, { declaredBytes, checks, receive }: Piece, admission: Admission, signal: AbortSignal): Promise<Upload> {
    const { id, kind, offset: start, epoch } = upload
    await room.need(id, roomFor(upload, upload.length ?? start + (declaredBytes ?? 0)))
    // A part becomes nothing by itself.
    const growing = kind === 'part' ? undefined : { length: upload.length, counted: () => records.segments(id) }
    let file: SegmentFile | undefined
    let current = upload
    let written = 0
    /** What the rows say may be so much, also where their answer was lost (I7). */
    let told = start
    let toldAt = now().getTime()

    async function commit (segment: SegmentFile): Promise<void> {
      const bytes = await writing(upload, () => segment.flush())
      const { address } = segment
      const to = address.start + bytes
      const { ends, finishAt } = to === upload.length ? ending(upload) : { ends: undefined, finishAt: null }
      const advance = { segment: { ...address, bytes }, from: current.offset, to, ends, finishAt, expiresAt: later(expiryMs) }
      current = await admission.commit(to - current.offset, async () => {
        told = to
        return held(id, await records.advance(current, advance))
      })
      toldAt = now().getTime()
    }

    let committing: Promise<void> | undefined
    const refused = new AbortController()

    /** While more bytes come; when it fails, no more do. */
    function beginCommit (segment: SegmentFile): void {
      committing ??= commit(segment).catch((error: unknown) => refused.abort(error)).finally(() => { committing = undefined })
    }

    /** What does not count yet does not expire either. */
    async function extend (): Promise<void> {
      current = await held(id, await records.keep(current, later(expiryMs)))
      toldAt = now().getTime()
    }

    const isLate = () => now().getTime() - toldAt >= commitMs
    const uncommitted = () => start + written - current.offset
    const isDue = () => uncommitted() >= enoughBytes || isLate()

    let failure: unknown
    try {
      for await (const chunk of receive({ maxBytes: wholeOf(upload) - start, signal: AbortSignal.any([signal, refused.signal]) })) {
        file ??= await writing(upload, () => segments.open({ uploadId: id, start, epoch }, growing))
        await file.write(chunk)
        for (const check of checks) check.update(chunk)
        written += chunk.length
        room.consume(id, chunk.length)
        // The last byte counts only when the body ends with it.
        if (checks.length === 0 && start + written !== upload.length && isDue()) beginCommit(file)
        if (uncommitted() >= commitBytes) await committing
        if (checks.length > 0 && isLate()) await extend()
      }
      await committing
      refused.signal.throwIfAborted()
      for (const check of checks) check.check()
    } catch (error) {
      await committing
      failure = error
    }

    const isUnproven = checks.length > 0 && failure !== undefined
    // More came than the whole has: it would be complete, and not what was sent.
    const isCutOff = failure instanceof UploadTooLarge && start + written === upload.length
    let isRefused = isUnproven || isCutOff
    try {
      if (!isRefused && file !== undefined && current.state === 'receiving' && start + written > current.offset) await commit(file)
    } catch (error) {
      failure ??= error
      isRefused = error instanceof QuotaExceeded
    }
    await (isRefused ? file?.keep(told - file.address.start) : file?.close())
    if (failure !== undefined) throw failure
    return current
  }

  /** Bytes that the rows tell of and the volume does not have, as after a restore, never come back. What has all of them is complete: the request that said the length may have ended before that. Who finishes it looks for itself, and removes them. */
  async function checked (upload: Upload): Promise<Upload> {
    if (upload.state !== 'receiving') return upload
    if (!await segments.areThere(await records.segments(upload.id))) return finishing.fail(upload, new ResumableGone())
    return upload.offset === upload.length ? completed(upload) : upload
  }

  async function completed (upload: Upload): Promise<Upload> {
    const { ends, finishAt } = ending(upload)
    return held(upload.id, await records.complete(upload, ends, finishAt))
  }

  /** Who asks twice at once is told twice: a 4xx would have clients begin anew. */
  const standing = (caller: Caller, id: UploadId): Promise<Upload> =>
    leases.hold(id, async () => checked(await taken(id))).catch((error: unknown) => {
      if (errnoOf(error) !== 'RESUMABLE_TAKEN_OVER') throw error
      return visible(caller, id)
    })

  /** Each request with bytes leaves a file: who sends one byte at a time would fill the volume with them. @throws ResumableInvalid */
  async function requirePieces ({ id, epoch, offset }: Upload): Promise<void> {
    const most = mostSmallPieces + Math.floor(offset / largePieceBytes)
    // Each piece has an epoch of its own.
    if (epoch > most && await records.pieces(id) >= most) throw new ResumableInvalid('it came in too many small pieces to take another; end it, and begin anew with pieces of at least 1 MiB')
  }

  async function parted (caller: Caller, ids: readonly string[]): Promise<Upload[]> {
    const parts: Upload[] = []
    for (const id of ids) {
      const part = await visible(caller, id as UploadId)
      if (part.kind !== 'part' || part.state !== 'finished') throw new ResumableInvalid('Upload-Concat names an upload that is not partial, or not complete')
      parts.push(part)
    }
    return parts
  }

  return {
    /**
     * Begins an upload. One that needs no bytes of its own is to be finished next. `alongside`: what is committed with its row.
     * @throws UploadTooLarge, QuotaExceeded, StorageFull, OwnerErased, ResumableNotFound, ResumableGone, ResumableInvalid
     */
    async create (creator: Caller, wish: Wish, alongside: (upload: Upload) => Alongside, announcedBytes = 0): Promise<Upload> {
      const ids = wish.parts as readonly UploadId[] | undefined
      const same = ids === undefined ? undefined : await records.madeOf(creator.id, { ...wish, parts: ids })
      if (same !== undefined) return same
      const parts = ids && await parted(creator, ids)
      const length = parts === undefined ? wish.length : parts.reduce((sum, { offset }) => sum + offset, 0)
      if ((length ?? 0) > maxBytes[wish.kind]) throw new UploadTooLarge(maxBytes[wish.kind])
      const isComplete = parts !== undefined || length === 0
      const at = now()
      const upload: Upload = {
        ...wish, id: newUploadId(), creator, length, parts: ids,
        offset: parts === undefined ? 0 : length ?? 0,
        erasureEpoch: Math.min(wish.erasureEpoch, ...(parts ?? []).map(({ erasureEpoch }) => erasureEpoch)),
        epoch: 0, state: isComplete ? wish.kind === 'part' ? 'finished' : 'finishing' : 'receiving',
        blobId: newBlobId(), recordId: newRecordId(), failure: undefined, createdAt: at, completeAt: isComplete ? at : undefined, choice: undefined, expiresAt: later(expiryMs),
      }
      // Parts count for themselves until the whole is there.
      const bytes = parts === undefined ? length ?? announcedBytes : 0
      await reserving(upload, { bytes, files: wish.kind === 'part' ? 0 : 1 }, async () => {
        await room.need(upload.id, roomFor(upload, length ?? announcedBytes))
        try {
          // What is made of them may have to wait until it can be finished.
          if (ids !== undefined) await records.extend(ids, later(expiryMs + finishPatienceMs))
          await records.create(upload, alongside(upload))
        } catch (error) {
          room.release(upload.id)
          throw error
        }
      })
      return upload
    },

    /** When it is complete. Returns what it is then. @throws what it came to */
    finish: (upload: Upload): Promise<Upload> => finishing.finish(upload, { isFirst: upload.epoch === 0 }),

    /** What is known of it; disturbs nobody. @throws ResumableNotFound, ResumableGone */
    look: visible,

    /** Where to go on: who sent bytes of it up to now is ended first. What is complete is finished. @throws ResumableNotFound, ResumableGone, and what it came to */
    async resume (caller: Caller, id: UploadId): Promise<Upload> {
      const upload = await visible(caller, id)
      return finishing.finish(upload.state === 'receiving' ? await standing(caller, id) : upload)
    },

    /**
     * Takes bytes in. Those that came are durable when it returns, and also when it throws, but for those that were to be checked.
     * @throws ResumableNotFound, ResumableGone, ResumableFinal, ResumableOffsetWrong, ResumableInvalid, ResumableTakenOver, UploadTooLarge,
     * ChecksumMismatch, UploadDigestMismatch, QuotaExceeded, StorageFull, what `piece.receive` throws, and what finishing it throws
     */
    async append (caller: Caller, id: UploadId, piece: Piece): Promise<Upload> {
      const { parts, state } = await visible(caller, id)
      if (parts !== undefined) throw new ResumableFinal()
      let isFirst = false
      const upload = await leases.hold(id, async (signal) => {
        const before = state === 'receiving' ? await taken(id, later(expiryMs)) : await visible(caller, id)
        if (before.failure !== undefined) throw failureError(before.failure)
        if (piece.offset !== before.offset) throw new ResumableOffsetWrong(before.offset)
        if (before.state !== 'receiving') {
          if (piece.declaredBytes !== 0) throw new UploadTooLarge(before.offset)
          return before
        }
        const upload = await withLength(before, piece.length)
        const whole = wholeOf(upload)
        if (upload.offset + (piece.declaredBytes ?? 0) > whole) throw new UploadTooLarge(whole)
        isFirst = true
        await requirePieces(upload)
        const admission = await admit(upload, piece.declaredBytes)
        const written = await write(upload, piece, admission, signal).finally(admission.end)
        return written.state === 'receiving' && written.offset === written.length ? completed(written) : written
      })
      if (upload.state === 'finished') room.release(id)
      return finishing.finish(upload, { isFirst })
    },

    /** Ends it; what it has become stays. @throws ResumableNotFound, ResumableGone */
    async terminate (caller: Caller, id: UploadId): Promise<void> {
      const { state } = await visible(caller, id)
      await leases.hold(id, async () => {
        await finishing.settled(id)
        // What has become something meanwhile still answers for its Idempotency-Key.
        await (state === 'finished' ? records.remove(id) : records.removeUnfinished(id))
      })
      room.release(id)
      await segments.remove(id)
    },

    finishDue: finishing.finishDue,

    /** Removes what expired and what nobody needs any more. Returns how many. */
    upkeep: createUpkeep({ records, segments, room }),

    /** Those who send bytes are ended with `reason`: what came of them is kept. */
    stopReceiving: (reason: Error): void => leases.endAll(reason),

    /** Waits for what is being finished. */
    async close (): Promise<void> {
      await finishing.close()
      room.releaseAll()
    },
  }
}

/** Of one upload; of large ones there may be more. */
const mostSmallPieces = 10_000
const largePieceBytes = 1024 ** 2

/** What is still to be written: what is missing, and all of it once more to put it together. */
const roomFor = ({ kind, offset }: Upload, length: number): number => length - offset + (kind === 'part' ? 0 : length)

/** The creator, the owner, and who acts for others. */
const maySee = (caller: Caller, { creator, ownerId }: Upload): boolean => caller.id === creator.id || caller.id === ownerId || actsForOthers(caller)
