// One thing that is wrong with the files or the records, said so that an operator knows which file and what to do.
import type { Kind } from '../storage/store.ts'

export type Problem =
  | 'blob-missing' | 'blob-size' | 'blob-corrupt' | 'blob-swapped' | 'blob-unreadable' | 'blob-undescribed'
  | 'sidecar-missing' | 'sidecar-damaged' | 'sidecar-differs' | 'sidecar-alone'
  | 'row-missing' | 'row-inconsistent'
  | 'foreign' | 'erased-present' | 'ledger-damaged' | 'backup-damaged'

export type Finding = {
  readonly problem: Problem
  /** From the volume's or the backup's root. */
  readonly path: string
  readonly kind?: Kind
  /** Of the blob. */
  readonly id?: string
  /** A sentence: what is wrong. */
  readonly detail: string
  /** A sentence: what would mend it. */
  readonly mend: string
}

export type Verification = {
  /** Records that were checked. */
  readonly records: number
  /** Files that were read and hashed, and their bytes. */
  readonly hashedFiles: number
  readonly hashedBytes: number
  /** Bytes of all files that records say are there. */
  readonly allBytes: number
  readonly findings: readonly Finding[]
  /** So many more there are than are listed. */
  readonly moreFindings?: number
}
