// What a privacy sweep has done so far: counts, and what it left with why.
import type { Kind as MetadataKind } from '../../images/metadata/plan.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import type { Kind } from '../../storage/store.ts'
import type { Left, Outcome } from './stripping.ts'

/** Of a volume that fails as a whole, the first thousands say enough. */
export const mostLeft = 10_000

type Count = { readonly files: number, readonly bytes: number }

export type LeftPicture = Pick<Left, 'code' | 'reason'> & {
  /** Of the attachment, or of the picture. */
  readonly id: string
  readonly blobId: string
  readonly kind: Kind
  readonly ownerId: string | null
}

export type PrivacyTally = {
  readonly lookedAt: Count
  readonly clean: Count
  /** `bytes`: before; `bytesAfter`: of the copies. In a dry run: what would be. */
  readonly stripped: Count & { readonly bytesAfter: number }
  /** In how many of them what was found. */
  readonly removed: Readonly<Partial<Record<MetadataKind, number>>>
  readonly left: readonly LeftPicture[]
  /** So many more there are than are listed. */
  readonly moreLeft: number
}

export function createTally () {
  const lookedAt = { files: 0, bytes: 0 }
  const clean = { files: 0, bytes: 0 }
  const stripped = { files: 0, bytes: 0, bytesAfter: 0 }
  const removed: Partial<Record<MetadataKind, number>> = {}
  const left: LeftPicture[] = []
  let moreLeft = 0

  function count (of: { files: number, bytes: number }, { size }: Sidecar): void {
    of.files += 1
    of.bytes += size
  }

  return {
    add (one: Sidecar, outcome: Outcome): void {
      if (outcome.outcome === 'gone') return
      count(lookedAt, one)
      if (outcome.outcome === 'left') return this.leave(one, outcome)
      if (outcome.outcome === 'clean') return count(clean, one)
      count(stripped, one)
      stripped.bytesAfter += outcome.bytes
      for (const name of outcome.removed) removed[name] = (removed[name] ?? 0) + 1
    },

    leave ({ id, recordId, kind, ownerId }: Pick<Sidecar, 'id' | 'kind' | 'ownerId'> & { recordId?: string | null }, { code, reason }: Left): void {
      if (left.length < mostLeft) left.push({ id: recordId ?? id, blobId: id, kind, ownerId, code, reason })
      else moreLeft += 1
    },

    report: (): PrivacyTally => ({ lookedAt: { ...lookedAt }, clean: { ...clean }, stripped: { ...stripped }, removed: { ...removed }, left: [...left], moreLeft }),
  }
}
