// Files that grow, in a store where nothing can be appended to: each piece is an object of its own behind the name, and the file is all of them.
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { ByteRange } from '../store.ts'
import { erasuresFile, tombstonesFile } from '../volume/layout.ts'
import { oneAfterOther } from './leavable.ts'
import { ObjectMissing, type Found, type Key, type Objects } from './objects.ts'

const suffix = '.parts/'

/** While it is read, others may put small pieces together. */
const readings = 5

/** Small enough to be read whole, and compacted now and then. */
export const journalKeys: readonly Key[] = [erasuresFile, tombstonesFile]

/** Journals, and segments of resumable uploads. */
export const isGrown = (key: Key): boolean => journalKeys.includes(key) || /^resumable\/[^/]+\/\d+-\d+$/.test(key)

export const partKey = (key: Key, name: string): Key => `${key}${suffix}${name}`

/** The file that an object, or a prefix, belongs to: its own name, unless it is of pieces of one that grows. */
export function fileOf (key: Key): Key {
  const at = key.indexOf(suffix)
  return at === -1 ? key : key.slice(0, at)
}

/** What is behind a name: an object under the name itself comes first, as somebody may have put it there. */
export type Grown = { readonly size: number, readonly modifiedAt: Date, readonly parts: readonly Found[] }

export const grownOf = (parts: readonly Found[]): Grown => ({
  parts,
  size: parts.reduce((sum, { size }) => sum + size, 0),
  modifiedAt: parts.reduce((last, { modifiedAt }) => modifiedAt > last ? modifiedAt : last, new Date(0)),
})

/** Undefined when there is nothing of it. */
export async function findGrown (objects: Pick<Objects, 'list'>, key: Key): Promise<Grown | undefined> {
  const parts: Found[] = []
  for await (const page of objects.list(key)) parts.push(...page.filter((found) => fileOf(found.key) === key))
  return parts.length === 0 ? undefined : grownOf(parts)
}

/** Bytes of it, as they come. @throws ObjectMissing when a part is gone by now */
export function readGrown (objects: Pick<Objects, 'read'>, { parts, size }: Grown, { start, end }: ByteRange = { start: 0, end: size - 1 }): Readable {
  function * opens () {
    let at = 0
    for (const part of parts) {
      const [from, to] = [Math.max(start - at, 0), Math.min(end - at, part.size - 1)]
      at += part.size
      if (from <= to) yield () => objects.read(part.key, { start: from, end: to })
    }
  }
  return oneAfterOther(opens())
}

/** With all its bytes. Undefined when there is nothing of it. */
export async function readWholeGrown (objects: Pick<Objects, 'list' | 'read'>, key: Key): Promise<Grown & { readonly bytes: Buffer } | undefined> {
  for (let reading = 1; ; reading += 1) {
    const grown = await findGrown(objects, key)
    if (grown === undefined) return undefined
    try {
      return { ...grown, bytes: await buffer(readGrown(objects, grown)) }
    } catch (error) {
      if (!(error instanceof ObjectMissing)) throw error
      // Not as what is missing: of a ledger that is not there, nobody would be erased.
      if (reading === readings) throw new Error(`${key} changed each time that it was read.`, { cause: error })
    }
  }
}
