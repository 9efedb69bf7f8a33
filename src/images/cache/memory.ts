// The small variants used last, in memory: ten times as fast as their files. Bounded in bytes.
import { LRUCache } from 'lru-cache'
import { entryOf, type Entry, type Facts } from './entry.ts'
import { keyOf, type Place } from './layout.ts'

export type Remembered = {
  readonly entry: Entry
  /** When its file was last marked as used. */
  markedAtMs: number
}

/** Larger ones would push out too many others, and from a file they come as fast as clients take them. */
const maxRememberedBytes = 64 * 1024

/** What one costs besides its bytes: key, facts, and its part of the maps. Bytes. */
const overheadBytes = 1024

export type Memory = ReturnType<typeof createMemory>

export function createMemory (maxBytes: number) {
  const cache = new LRUCache<string, Remembered>({ maxSize: Math.max(1, maxBytes), sizeCalculation: ({ entry }) => entry.size + overheadBytes })

  return {
    get: (place: Place): Remembered | undefined => cache.get(keyOf(place)),

    /** The entry, remembered unless it is too large for that. */
    set (place: Place, facts: Facts, bytes: Buffer, markedAtMs: number): Entry {
      if (facts.size > maxRememberedBytes || facts.size + overheadBytes > maxBytes) return entryOf(facts, bytes)
      const entry = entryOf(facts, detached(bytes))
      cache.set(keyOf(place), { entry, markedAtMs })
      return entry
    },

    get bytes (): number { return cache.calculatedSize },
  }
}

/** A part of a larger buffer would keep all of that in memory. */
function detached (bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength <= bytes.length + overheadBytes) return bytes
  const own = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(own)
  return own
}
