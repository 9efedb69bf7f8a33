// How files become attachments: all of a request are looked at, made durable on the volume, and only then committed, or none.
import { ownerNamed, type Caller } from '../callers/caller.ts'
import { UploadFieldInvalid } from '../errors.ts'
import type { Intake, Taken } from '../images/intake.ts'
import { withFields } from '../plugins/foreign-errors.ts'
import { isReaderErased, isRefused, nothing, type Alongside } from '../records/commits.ts'
import type { Scan } from '../scanning/scan.ts'
import { newBlobId, newRecordId, type BlobId } from '../storage/ids.ts'
import { plain } from '../storage/sidecar.ts'
import type { Store } from '../storage/store.ts'
import type { ReceivedFile } from '../transfer/receive.ts'
import { sniff, sniffedBytes } from '../transfer/sniff.ts'
import { expiryAllowed, expiryIn } from './expiry.ts'
import { presentSidecar } from './present.ts'
import { readersIn } from './readers.ts'
import type { AttachmentRecords, AttachmentSidecar } from './records.ts'
import type { Attachment, Particulars } from './schema.ts'

/** A staged file and what was said of it; and the ids that it is to have, where they were chosen before. */
export type Sent = { readonly file: ReceivedFile, readonly particulars: Particulars, readonly ids?: { readonly blobId: BlobId, readonly recordId: string } }

export type AttachmentUploads = ReturnType<typeof createAttachmentUploads>

type Options = {
  store: Store
  records: Pick<AttachmentRecords, 'create' | 'remaining'>
  /** Before anything else looks into a file. */
  scan: Scan
  intake: Intake
  /** What holds where a user's upload does not say. */
  keepsMetadata: boolean
  now: () => Date
}

/** Staged as it will be kept, and what is said of it. */
type Described = { readonly taken: Taken, readonly sidecar: AttachmentSidecar }

export function createAttachmentUploads ({ store, records, scan, intake, keepsMetadata: usuallyKeepsMetadata, now }: Options) {
  function expiryOf ({ expiresAt }: Particulars): string | null {
    if (expiresAt === undefined) return null
    const at = expiryIn(expiresAt, now())
    if (at === undefined) throw withFields(new UploadFieldInvalid(`expiresAt must be ${expiryAllowed}`), [{ in: 'form', name: 'expiresAt', detail: `must be ${expiryAllowed}` }])
    return at.toISOString()
  }

  async function describe (caller: Caller, { file, particulars, ids }: Sent, epoch: number): Promise<Described> {
    const ownerId = ownerNamed(caller, particulars.ownerId)
    const readers = readersIn(particulars.readers)
    const { contentType, extension } = await sniff(await file.staged.head(sniffedBytes), file.declaredType)
    const { metadata = usuallyKeepsMetadata || isService(caller) ? 'keep' : 'remove' } = particulars
    const expiresAt = expiryOf(particulars)
    const scanned = await scan(file.staged)
    const taken = await intake.take(file, { contentType, keepsMetadata: metadata === 'keep', mustShow: false })
    const { blobId: id, recordId } = ids ?? { blobId: newBlobId(), recordId: newRecordId() }
    const at = now().toISOString()
    const sidecar: AttachmentSidecar = {
      version: 1, kind: 'attachment', id, extension, state: 'live', stateAt: at, createdAt: at, revision: 1,
      recordId, ownerId, creatorId: caller.id, contentType, size: taken.size, sha256: taken.sha256,
      ...taken.facts, keepsMetadata: particulars.metadata === 'keep', crop: null,
      filename: file.filename ?? `file.${extension}`,
      visibility: particulars.visibility ?? 'private',
      contextType: particulars.contextType ?? null, contextId: particulars.contextId ?? null,
      alt: null, aliases: [], epoch, source: null, sourceSha256: null, originalId: null, ...plain, ...scanned, readers, readersEpoch: epoch, expiresAt,
    }
    return { taken, sidecar }
  }

  /** All, or none: what was staged for the others goes too. */
  async function describeAll (caller: Caller, sent: readonly Sent[], epoch: number): Promise<Described[]> {
    const described = await Promise.allSettled(sent.map((one) => describe(caller, one, epoch)))
    const failed = described.find((result) => result.status === 'rejected')
    const done = described.flatMap((result) => result.status === 'fulfilled' ? [result.value] : [])
    if (failed === undefined) return done
    await Promise.all(done.map(({ taken }) => taken.staged.discard()))
    throw failed.reason
  }

  async function publish (all: readonly Described[]): Promise<void> {
    const published = await Promise.allSettled(all.map(({ taken, sidecar }) => store.publish(taken.staged, sidecar)))
    const failed = published.find((result) => result.status === 'rejected')
    if (failed === undefined) return
    // No row points at the others, and none will.
    await Promise.allSettled(all.map(({ taken, sidecar }) => taken.staged.discard().then(() => store.remove(sidecar))))
    throw failed.reason
  }

  /** Published anew without who was erased since they were named, while no row points at them. */
  const withoutErased = (sidecars: readonly AttachmentSidecar[], epoch: number): Promise<AttachmentSidecar[]> => Promise.all(sidecars.map(async (sidecar) => {
    const readers = await records.remaining(sidecar.readers, epoch)
    if (readers.length === sidecar.readers.length) return sidecar
    const left = { ...sidecar, readers }
    await store.writeSidecar(left)
    return left
  }))

  async function commit (sidecars: readonly AttachmentSidecar[], epoch: number, alongside: (kept: readonly Attachment[]) => Alongside): Promise<Attachment[]> {
    const kept = sidecars.map(presentSidecar)
    try {
      await records.create(sidecars, epoch, alongside(kept))
      return kept
    } catch (error) {
      if (isReaderErased(error)) return commit(await withoutErased(sidecars, epoch), epoch, alongside)
      return takenBack(sidecars, error)
    }
  }

  /** Nothing of a user who was erased meanwhile may stay, nor of what was refused otherwise, and nothing of this has or will have a row. */
  async function takenBack (sidecars: readonly AttachmentSidecar[], error: unknown): Promise<never> {
    if (isRefused(error)) await Promise.allSettled(sidecars.map((sidecar) => store.remove(sidecar)))
    throw error
  }

  return {
    /** Before there is a file: whether that can be said of one. @throws UploadFieldInvalid */
    check (particulars: Particulars): void {
      readersIn(particulars.readers)
      expiryOf(particulars)
    },

    /**
     * Keeps the staged files of one request, which are used up: all, or none. `epoch`: when it began; `alongside`: what is committed
     * with them. @throws OwnerErased, and what `alongside` refuses for
     */
    async create (caller: Caller, sent: readonly Sent[], epoch: number, alongside: (kept: readonly Attachment[]) => Alongside = () => nothing): Promise<Attachment[]> {
      const described = await describeAll(caller, sent, epoch)
      await publish(described)
      return commit(described.map(({ sidecar }) => sidecar), epoch, alongside)
    },
  }
}

/** A service hands over what others gave it, and knows what of it is to be kept. */
const isService = ({ scopes }: Caller): boolean => scopes.has('uploads:service')
