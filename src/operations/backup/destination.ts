// What a place for backups offers, a folder or a stream: it takes blobs one by one, and then the snapshot that names them.
import type { Sidecar } from '../../storage/sidecar.ts'
import type { BlobFault } from './inspect-blob.ts'

/** there: it has been backed up before; proved: so it has, and was read to the end; mended: that one was damaged, and was copied anew. */
export type Kept = 'copied' | 'there' | 'proved' | 'mended'

export type Destination = {
  /** Blobs that it takes at once. */
  readonly atOnce: number
  /** The newest snapshot there is. */
  readonly newest: string | undefined
  /** Keeps the bytes of the file `source`, if they are what `sidecar` says; what it has already is read only when doubted. @throws Refusal when the destination fails */
  keep (sidecar: Sidecar, source: string, isDoubted: boolean): Promise<Kept | BlobFault>
  /** Makes the `files` of the folder `work` the snapshot `name`, in this order: the last makes it one. */
  publish (name: string, work: string, files: readonly string[]): Promise<void>
  /** Gives up what is not published. */
  close (): Promise<void>
}
