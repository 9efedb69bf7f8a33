// The ledger of erasures: on the volume, and in a second place where there is one. No personal data is in it.
import { join } from 'node:path'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/schema'
import type { FileSystem } from './fs.ts'
import type { KeyedHash } from './keyed-hash.ts'
import { isTime } from './time.ts'
import type { Durable } from './volume/durable.ts'
import { createJournal, type Alone } from './volume/journal.ts'
import { erasuresFile } from './volume/layout.ts'

/** A column of the database holds little more. There is room for more erasures than there are users. */
export const lastEpoch = 2_000_000_000

const ErasureSchema = Type.Object({
  id: Type.String(),
  /** Counts the erasures of a volume: it erases the owner's uploads that began before it, those of a lower epoch. */
  epoch: Type.Integer({ minimum: 1, maximum: lastEpoch }),
  /** Keyed hashes of the owner and of the volume. */
  owner: Type.String(),
  volume: Type.String(),
  at: Type.String(),
})

export type Erasure = Static<typeof ErasureSchema>

/** What no gateway wrote is damaged, also where its checksum is right: no row could be made of it. */
const isErasure = (value: unknown): value is Erasure => Check(ErasureSchema, value) && isTime(value.at)

export type LedgerPlace = {
  readonly path: string
  readonly isThere: boolean
  readonly damagedLines: number
  /** Erasures of this volume, and those of others: one file may be the second place of several volumes. */
  readonly count: number
  readonly ofOthers: number
}

export type Erasures = {
  /** Every erasure of this volume that any place knows, by epoch; and what was found where. */
  read (): Promise<{ erasures: Erasure[], places: LedgerPlace[] }>
  /** Returns when it is durable in every place. */
  append (erasure: Erasure): Promise<void>
  /** Gives each place what another has and it has not, and makes it where it is missing. Returns the erasures of all. */
  reconcile (): Promise<Erasure[]>
}

export const volumeHash = (hash: KeyedHash): string => hash('volume', '')

/** Where the ledger is on the volume, and, with a second place, there. */
export function ledgerPlaces (root: string, secondPlace: string | undefined): string[] {
  return [join(root, erasuresFile), ...(secondPlace === undefined ? [] : [secondPlace])]
}

export function createErasures ({ fs, durable, paths, hash, alone }: { fs: FileSystem, durable: Durable, paths: readonly string[], hash: KeyedHash, /** As for `createJournal`. */ alone?: Alone | undefined }): Erasures {
  const journals = paths.map((path) => createJournal({ fs, durable, path, isEntry: isErasure, alone }))
  const volume = volumeHash(hash)

  const readEach = () => Promise.all(journals.map(async (journal) => ({ journal, found: await journal.read() })))

  const own = (entries: readonly Erasure[]) => entries.filter((entry) => entry.volume === volume)

  const union = (lists: ReadonlyArray<readonly Erasure[]>) => [...new Map(lists.flat().map((entry) => [entry.id, entry])).values()].sort((a, b) => a.epoch - b.epoch)

  return {
    async read () {
      const each = await readEach()
      return {
        erasures: union(each.map(({ found }) => own(found?.entries ?? []))),
        places: each.map(({ journal: { path }, found }) => {
          const { entries, damagedLines } = found ?? { entries: [], damagedLines: 0 }
          const count = own(entries).length
          return { path, isThere: found !== undefined, damagedLines, count, ofOthers: entries.length - count }
        }),
      }
    },

    async append (erasure) {
      for (const journal of journals) await journal.append([erasure])
    },

    async reconcile () {
      const each = await readEach()
      const all = union(each.map(({ found }) => own(found?.entries ?? [])))
      for (const { journal, found } of each) {
        const known = new Set(found?.entries.map(({ id }) => id))
        const missing = all.filter(({ id }) => !known.has(id))
        if (found === undefined || missing.length > 0) await journal.append(missing)
      }
      return all
    },
  }
}
