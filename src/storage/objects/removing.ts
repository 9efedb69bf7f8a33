// Taking objects away: one, or all below a name, as unlink(2) and a recursive rm do.
import pLimit from 'p-limit'
import { isGrown, partKey } from './grown.ts'
import { below } from './keys.ts'
import type { Key, Objects } from './objects.ts'

const atOnce = 8

/** Everything whose key begins so. */
export async function removeBelow (objects: Objects, prefix: string): Promise<void> {
  const limit = pLimit(atOnce)
  for await (const page of objects.list(prefix)) await limit.map([...page], ({ key }) => objects.remove(key))
}

/** A file, with all its pieces. What is not there is no error. */
export async function removeFile (objects: Objects, key: Key): Promise<void> {
  if (isGrown(key)) await removeBelow(objects, partKey(key, ''))
  await objects.remove(key)
}

/** A file, or a folder with all that is in it. */
export async function removeTree (objects: Objects, key: Key): Promise<void> {
  await removeBelow(objects, below(key))
  await removeFile(objects, key)
}
