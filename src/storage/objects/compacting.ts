// Small pieces of journals put together into few, so that reading one takes few calls however long it has been written to. Loses no line.
import { randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { findGrown, grownOf, journalKeys, readGrown, type Grown } from './grown.ts'
import type { Key, Objects } from './objects.ts'

/** Fewer are no trouble. */
const manyParts = 64

/** What is as large stays as it is. */
const smallBytes = 1024 ** 2
const mergedBytes = 8 * 1024 ** 2

/** Returns how many objects went. A line may be there twice for a moment, or for ever when this is killed: journals are sets. */
export async function compactJournals (objects: Objects): Promise<number> {
  let removed = 0
  for (const key of journalKeys) removed += await compact(objects, key)
  return removed
}

async function compact (objects: Objects, key: Key): Promise<number> {
  const grown = await findGrown(objects, key)
  // What lies under the name itself somebody put there: it stays.
  const small = grown?.parts.filter((part) => part.key !== key && part.size < smallBytes) ?? []
  if (small.length < manyParts) return 0
  let removed = 0
  for (const group of groups(small)) removed += await merge(objects, grownOf(group))
  return removed
}

async function merge (objects: Objects, merged: Grown): Promise<number> {
  const last = merged.parts.at(-1)
  if (last === undefined || merged.parts.length < 2) return 0
  // Each begins and ends with a line's end of its own, so they only have to follow each other. The name is nobody else's, as two may be at this at
  // once; and it is behind all that go, so that who lists them meanwhile meets it.
  await objects.putBytes(`${last.key}.${randomBytes(6).toString('hex')}`, await buffer(readGrown(objects, merged)))
  for (const { key } of merged.parts) await objects.remove(key)
  return merged.parts.length - 1
}

function * groups (parts: Grown['parts']): Generator<Grown['parts']> {
  let group: Array<Grown['parts'][number]> = []
  for (const part of parts) {
    group.push(part)
    if (grownOf(group).size < mergedBytes) continue
    yield group
    group = []
  }
  yield group
}
