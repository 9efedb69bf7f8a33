// Erasing all uploads of one user, for good, and doing it again after whatever brought them back. Who may ask for it is not decided here.
import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import pLimit from 'p-limit'
import type { Mentions } from '../records/mentions.ts'
import type { Removed } from '../records/removed.ts'
import type { Unfinished } from '../records/unfinished.ts'
import { createAttempts } from '../storage/attempts.ts'
import { volumeHash, type Erasure, type Erasures } from '../storage/erasures.ts'
import { storing } from '../storage/failures.ts'
import type { KeyedHash } from '../storage/keyed-hash.ts'
import type { Ledger } from '../storage/ledger.ts'
import type { Store } from '../storage/store.ts'
import type { ErasedOrphan, Orphans, Targets } from './orphans.ts'
import type { ErasureRecords, ErasureRow, OwnedBlob } from './records.ts'
import type { Erased } from './schema.ts'

/**
 * So long after its beginning an erasure is looked at once more, and only then finished: by then no request from before it goes on, and
 * what one left that died in the middle is found.
 */
const settleMs = 30_000

/** So long a receipt can be asked for again, as nobody knows whether it arrived. */
const receiptKeptMs = 30 * 24 * 60 * 60_000

const blobsAtOnce = 500
const removalsAtOnce = 16

/** So many are hashed before others have their turn. */
const namesAtOnce = 500

export type Replayed = { readonly owners: number, readonly blobs: number }

/** As a receipt of now says it; and whether there is something of the user again, or still. */
export type Earlier = { readonly erased: Erased, readonly isAnythingThere: boolean }

export type ErasureService = ReturnType<typeof createErasure>

type Options = {
  records: ErasureRecords
  orphans: Orphans
  store: Pick<Store, 'removeForGood'>
  /** The ledger of erasures. */
  erasures: Pick<Erasures, 'append' | 'reconcile'>
  entomb: Ledger['entomb']
  mentions: Pick<Mentions, 'remove'>
  unfinished: Pick<Unfinished, 'remove'>
  removeDeadStaging: () => Promise<number>
  /** Leaves nothing of deleted rows in the database's files; false when it has to be tried again. */
  scrub: (options: { isThorough: boolean }) => Promise<boolean>
  hash: KeyedHash
  now: () => Date
  /** Hears of each erasure once it is in the rows, before anything is removed. */
  begun?: () => void
}

type Gone = OwnedBlob | ErasedOrphan

export function createErasure ({ records, orphans, store, erasures, entomb, mentions, unfinished, removeDeadStaging, scrub, hash, now, begun = () => {} }: Options) {
  const entryOf = ({ id, epoch, owner, at }: ErasureRow): Erasure => ({ id, epoch, owner, volume: volumeHash(hash), at })

  /** Makes the rows and every place of the ledger agree. Returns the erasures that found no row. */
  async function agree (): Promise<ErasureRow[]> {
    const entries = await storing(() => erasures.reconcile())
    const homeless: ErasureRow[] = []
    for (const entry of await records.missing(entries)) if (!await records.adopt(entry)) homeless.push(entry)
    const known = new Set(entries.map(({ id }) => id))
    for (const row of await records.all()) if (!known.has(row.id)) await storing(() => erasures.append(entryOf(row)))
    return homeless
  }

  const removedOf = (gone: readonly Gone[]): Removed => ({ blobs: gone.map(({ id, kind, size, sha256 }) => ({ id, kind, size, content: hash('content', sha256) })), accounts: 0 })

  const note = (owner: string, gone: Gone) => records.note(owner, removedOf([gone]))

  /** Every blob of the owner and of a lower epoch; one that cannot be removed does not keep the others. */
  async function removeBlobs (ownerId: string, epoch: number): Promise<OwnedBlob[]> {
    const doomed = await records.condemn({ ownerId, owner: hash('owner', ownerId), epoch, removedOf })
    const attempts = createAttempts()
    for (let at = 0; at < doomed.length; at += blobsAtOnce) {
      const group = doomed.slice(at, at + blobsAtOnce)
      await entomb(group)
      const limit = pLimit(removalsAtOnce)
      const removed = await Promise.allSettled(group.map((one) => limit(() => attempts.attempt(async () => {
        await store.removeForGood(one)
        return one.id
      }))))
      await records.drop(removed.map((result) => result.status === 'fulfilled' ? result.value : undefined).filter((id) => id !== undefined))
    }
    await storing(async () => attempts.end())
    return doomed
  }

  /** Those of `names` that are among `targets`. */
  async function * named (targets: Targets, names: AsyncIterable<string>): AsyncGenerator<{ name: string, epoch: number }> {
    let count = 0
    for await (const name of names) {
      if (++count % namesAtOnce === 0) await setImmediate()
      const epoch = targets.get(hash('owner', name))
      if (epoch !== undefined) yield { name, epoch }
    }
  }

  async function carryOut (targets: Targets): Promise<Replayed> {
    const owners = new Set<string | null>()
    let blobs = 0
    const count = (gone: readonly Gone[]) => {
      for (const { ownerId } of gone) owners.add(ownerId)
      blobs += gone.length
    }
    for await (const { name, epoch } of named(targets, records.owners())) count(await removeBlobs(name, epoch))
    for (const [owner, epoch] of targets) await records.silence(owner, epoch)
    for (const [owner, epoch] of targets) await records.forgetAnswers(owner, epoch, hash)
    for await (const { name } of named(targets, records.accounts())) await records.removeAccount(name, hash('owner', name))
    await unfinished.remove(targets)
    await mentions.remove(targets)
    count(await orphans.remove(targets, note))
    await removeDeadStaging()
    return { owners: owners.size, blobs }
  }

  async function replay ({ isFull = false } = {}): Promise<Replayed> {
    const startedAt = now()
    await records.removed.forget(new Date(startedAt.getTime() - receiptKeptMs))
    const homeless = await agree()
    const open = await records.all({ isOpen: true })
    const targets = latest([...homeless, ...isFull ? await records.all() : open])
    if (targets.size === 0) return { owners: 0, blobs: 0 }
    const replayed = await carryOut(targets)
    if (await scrub({ isThorough: true })) await records.finish(open.map(({ epoch }) => epoch), before(startedAt))
    return replayed
  }

  const before = (at: Date) => new Date(at.getTime() - settleMs)

  /** It names what all erasures of the owner removed: one that was killed, or whose receipt did not arrive, is asked for again. */
  async function erasedBy ({ id, at, owner, epoch }: ErasureRow): Promise<Erased> {
    const { blobs, accounts } = await records.removed.of(owner)
    const count = (kind: string) => blobs.filter((one) => one.kind === kind).length
    return {
      id, at, owner, epoch,
      blobs: blobs.map(({ id, content }) => ({ id, content })),
      counts: { avatars: count('avatar'), attachments: count('attachment'), bytes: blobs.reduce((sum, { size }) => sum + size, 0), accounts },
    }
  }

  let followedUpAt = -Infinity

  return {
    /**
     * Erases what the user uploaded up to now, and their embedded account. What is in flight of it fails at its commit.
     * @throws StorageUnavailable, StorageFull: nothing was erased, when the ledger could not be written in every place; or not all of
     * it. It is finished by replay. `isThorough`: scrubs the database right now, which replay does half a minute later in any case.
     */
    async erase (ownerId: string, { isThorough = false } = {}): Promise<Erased> {
      await agree()
      const owner = hash('owner', ownerId)
      const erasure = await records.begin({ id: randomUUID(), owner, at: now().toISOString() })
      begun()
      await storing(() => erasures.append(entryOf(erasure)))
      await removeBlobs(ownerId, erasure.epoch)
      await records.silence(owner, erasure.epoch)
      await records.forgetAnswers(owner, erasure.epoch, hash)
      await records.removeAccount(ownerId, owner)
      const target = new Map([[owner, erasure.epoch]])
      await unfinished.remove(target)
      await mentions.remove(target, ownerId)
      await orphans.remove(target, note)
      await removeDeadStaging()
      await scrub({ isThorough })
      const erased = await erasedBy(erasure)
      await records.receipted(owner)
      return erased
    },

    /** Whether there is something of the user to erase. */
    isAnythingOf: (ownerId: string): Promise<boolean> => records.hasAny(ownerId),

    /** What earlier erasures of this user removed; undefined when there was none. */
    async earlier (ownerId: string): Promise<Earlier | undefined> {
      const last = await records.lastOf(hash('owner', ownerId))
      return last && { erased: await erasedBy(last), isAnythingThere: await records.hasAny(ownerId) }
    },

    /**
     * Brings ledger and rows in line, and finishes what was not finished; `isFull`: carries every erasure out anew, as after something
     * older was brought back.
     */
    replay,

    /**
     * Looks once more at erasures that are old enough for it, all at once; nearly nothing when there are none. Not again before those
     * are old enough that it met too early: of a thousand erasures in a row, each would have the volume scanned.
     */
    async followUp (): Promise<Replayed> {
      const at = now()
      if (at.getTime() - followedUpAt < settleMs || !await records.hasOpen(before(at))) return { owners: 0, blobs: 0 }
      const replayed = await replay()
      followedUpAt = at.getTime()
      return replayed
    },
  }
}

/** Of each owner the last of these erasures, which covers those before. */
function latest (erasures: readonly ErasureRow[]): Targets {
  const targets = new Map<string, number>()
  for (const { owner, epoch } of erasures) targets.set(owner, Math.max(epoch, targets.get(owner) ?? 0))
  return targets
}
