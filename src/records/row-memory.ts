// Rows that were read, for as long as they are what the database has: exactly as long, whoever changes them.
import { LRUCache } from 'lru-cache'
import type { Basis } from '../basis.ts'
import type { RowChanges, RowName } from './row-changes.ts'
import { withoutReader, type RowReader } from './row-reader.ts'

/** As for kept answers, which rest on them. A row can have a thousand readers. */
const mostBytes = 40 * 1024 ** 2

/** What one costs beside its texts. */
const rowBytes = 2048

const bytesOf = (value: object): number =>
  Object.values(value).reduce((sum, field) => sum + (typeof field === 'string' ? field.length : 0), rowBytes)

export type RowMemory = {
  /**
   * What `load` gives, remembered until a row of `namesOf` changes. Null and undefined are not remembered. Nobody may change what is given: others have it too.
   * @throws what `load` throws
   */
  get<T extends object> (key: string, load: () => Promise<T | null>, namesOf: (value: T) => readonly RowName[]): Promise<T | null>
  /** Of what `get` gave; undefined when it is not remembered. */
  basisOf (value: object): Basis | undefined
  /** What it does not remember, at once. */
  readonly reader: RowReader
}

/** For a database that does not tell what changes in it: it is asked each time. */
export const forgetful: RowMemory = { get: (_key, load) => load(), basisOf: () => undefined, reader: withoutReader }

type Entry = { readonly value: object, readonly names: readonly RowName[], isCurrent: boolean }

type Loading = { readonly since: number, readonly value: Promise<object | null> }

export function createRowMemory ({ hear, haveOthersChanged, reader }: RowChanges, maxBytes = mostBytes): RowMemory {
  const byName = new Map<RowName, Set<Entry>>()
  const byValue = new WeakMap<object, Entry>()
  const loadings = new Map<string, Loading>()
  /** Of changes: what was being read when one came may be older. */
  let count = 0

  function forget (entry: Entry): void {
    entry.isCurrent = false
    for (const name of entry.names) {
      const entries = byName.get(name)
      entries?.delete(entry)
      if (entries?.size === 0) byName.delete(name)
    }
  }

  const entries = new LRUCache<string, Entry>({ maxSize: maxBytes, sizeCalculation: ({ value }, key) => bytesOf(value) + key.length, dispose: forget })

  hear((name) => {
    count += 1
    // Those who still have the key find that it is not current.
    for (const entry of [...byName.get(name) ?? []]) forget(entry)
  })

  function lookForOthers (): void {
    if (!haveOthersChanged()) return
    count += 1
    entries.clear()
  }

  function remember (key: string, value: object, names: readonly RowName[]): void {
    const entry: Entry = { value, names, isCurrent: true }
    entries.set(key, entry)
    byValue.set(value, entry)
    for (const name of names) {
      const others = byName.get(name)
      if (others === undefined) byName.set(name, new Set([entry]))
      else others.add(entry)
    }
  }

  return {
    reader,

    async get<T extends object> (key: string, load: () => Promise<T | null>, namesOf: (value: T) => readonly RowName[]): Promise<T | null> {
      lookForOthers()
      const known = entries.get(key)
      if (known?.isCurrent === true) return known.value as T
      const loading = loadings.get(key)
      // One that began before a change may give what was before it.
      if (loading?.since === count) return loading.value as Promise<T | null>
      const since = count
      const value = load()
      loadings.set(key, { since, value })
      try {
        const loaded = await value
        lookForOthers()
        if (loaded !== null && count === since) remember(key, loaded, namesOf(loaded))
        return loaded
      } finally {
        if (loadings.get(key)?.value === value) loadings.delete(key)
      }
    },

    basisOf (value) {
      const entry = byValue.get(value)
      if (entry === undefined) return undefined
      return () => {
        lookForOthers()
        return entry.isCurrent
      }
    },
  }
}
