// What was on the volume and is gone for good: keyed hashes of old paths, sources and owners of avatars, so that no import revives them.
import { join } from 'node:path'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/schema'
import { storing } from './failures.ts'
import type { FileSystem } from './fs.ts'
import type { KeyedHash } from './keyed-hash.ts'
import type { Sidecar } from './sidecar.ts'
import type { Durable } from './volume/durable.ts'
import { createJournal, type Alone } from './volume/journal.ts'
import { tombstonesFile } from './volume/layout.ts'

const TombstoneSchema = Type.Object({ keys: Type.Array(Type.String()), at: Type.String() })

const isTombstone = (value: unknown): value is Static<typeof TombstoneSchema> => Check(TombstoneSchema, value)

export type Tombstones = {
  /** Every key there is; and how many lines cannot be read. Throws StorageUnavailable. */
  read (): Promise<{ keys: Set<string>, damagedLines: number }>
  /** Returns when they are durable. Throws StorageFull, StorageUnavailable. */
  add (keys: readonly string[], at: Date): Promise<void>
}

export function createTombstones ({ fs, durable, root, alone }: { fs: FileSystem, durable: Durable, root: string, /** As for `createJournal`. */ alone?: Alone | undefined }): Tombstones {
  const journal = createJournal({ fs, durable, path: join(root, tombstonesFile), isEntry: isTombstone, alone })
  return {
    async read () {
      const { entries, damagedLines } = await storing(() => journal.read()) ?? { entries: [], damagedLines: 0 }
      return { keys: new Set(entries.flatMap(({ keys }) => keys)), damagedLines }
    },
    async add (keys, at) {
      if (keys.length > 0) await storing(() => journal.append([{ keys: [...keys], at: at.toISOString() }]))
    },
  }
}

/** What is remembered of a blob that goes for good. */
export function tombstonesFor (hash: KeyedHash, { source, aliases }: Pick<Sidecar, 'source' | 'aliases'>): string[] {
  return [
    ...aliases.map((path) => hash('path', path)),
    ...(source === null ? [] : [hash('source', source)]),
  ]
}
