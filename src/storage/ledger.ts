// What storage asks of the records, so that clean-up never guesses: implemented with the database, beyond this folder.
import type { BlobId } from './ids.ts'
import type { Sidecar } from './sidecar.ts'
import type { BlobAddress } from './store.ts'

/** live, pending, superseded and deleted as in a sidecar; purging: on its way out; swept: removed, its id still taken. */
export type BlobState = Sidecar['state'] | 'purging' | 'swept'

/** A blob on its way out, and what is remembered of it. */
export type Doomed = BlobAddress & Pick<Sidecar, 'ownerId' | 'source' | 'aliases'>

/** As its row is. */
export type Hidden = BlobAddress & Pick<Sidecar, 'state' | 'revision'>

export type Ledger = {
  /** Rows of blobs that are on the volume, or ought to be. */
  count (): Promise<number>
  /** The states of those of `ids` that have a row. */
  states (ids: readonly BlobId[]): Promise<Map<BlobId, BlobState>>
  /** Inserts a row `swept` under this very id, so that a late commit fails on it. False when a row was there first. */
  claimOrphan (address: BlobAddress): Promise<boolean>
  /** Forgets swept rows made before `before`, whose requests are long over. */
  forgetSwept (before: Date): Promise<number>
  /** How many blobs are in these states since before `before`. */
  countInState (states: readonly Sidecar['state'][], before: Date): Promise<number>
  /** Blobs in these states since before `before`, oldest first, as their sidecars ought to be. */
  inState (states: readonly Sidecar['state'][], before: Date, limit: number): Promise<Sidecar[]>
  /** Owners whose superseded and deleted blobs take more than `maxBytes`, and how much they take. */
  ownersOver (maxBytes: number, limit: number): Promise<Array<{ ownerId: string, bytes: number }>>
  /** Superseded and deleted blobs of an owner, those first that are so for longest; from behind `after`. */
  trashOf (ownerId: string, after: Sidecar | undefined, limit: number): Promise<Sidecar[]>
  /** Which revision of the blob's sidecar is due; undefined when there is no row. */
  revisionOf (id: BlobId): Promise<number | undefined>
  /** The blob's sidecar does not say what its row says: it is written anew by whoever settles next. */
  oweSidecar (id: BlobId): Promise<void>
  /** Replaced avatars of the same owner that are shown no more because this one was deleted after them. */
  hiddenBy (sidecar: Sidecar): Promise<Hidden[]>
  /**
   * Compare-and-set to `purging`; false when the row is not as `sidecar` says any more. What it hides is deleted with it: nothing
   * else would tell that its owner removed it.
   */
  startPurge (sidecar: Sidecar): Promise<boolean>
  /** Rows left in `purging`, also by a process that died. */
  purging (limit: number): Promise<Doomed[]>
  /** Remembers durably that these are gone for good, so that no import revives them; before their files go. */
  entomb (doomed: readonly Doomed[]): Promise<void>
  /** Makes the sidecars of what it hid, and of a copy in its place, say that durably, so that a rebuild shows none of the one and has the other; before its files go. */
  settleHidden (doomed: Doomed): Promise<void>
  /** Deletes the row, and with it the record and its old URLs. */
  purged (id: BlobId): Promise<void>
}
