// The blobs that several snapshots name, each once: their manifests are in the order of ids, and are read side by side.
import { join } from 'node:path'
import type { FileSystem } from '../../storage/fs.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import { manifestFile } from './layout.ts'
import { readManifest } from './manifest.ts'
import type { FoundSnapshot } from './snapshots.ts'

/** There may be hundreds of snapshots, of millions of lines each. */
const linesAtOnce = 50

const blobsAtOnce = 500

export type Named = {
  readonly sidecar: Sidecar
  /** The snapshots that name it, oldest first. */
  readonly snapshots: readonly string[]
}

type Head = { readonly name: string, readonly lines: AsyncGenerator<Sidecar>, sidecar: Sidecar }

/** In groups, by id. What two snapshots say differently of one id comes twice. */
export async function * namedBlobs (fs: FileSystem, snapshots: readonly FoundSnapshot[]): AsyncGenerator<Named[]> {
  const heads: Head[] = []
  let group: Named[] = []
  try {
    for (const { name, root } of snapshots) {
      const lines = linesOf(fs, join(root, manifestFile))
      const first = await lines.next()
      if (first.done !== true) heads.push({ name, lines, sidecar: first.value })
    }
    while (heads.length > 0) {
      const id = leastId(heads)
      const naming = heads.filter(({ sidecar }) => sidecar.id === id)
      group.push(...atOneId(naming))
      await advance(heads, naming)
      if (group.length < blobsAtOnce) continue
      yield group
      group = []
    }
    if (group.length > 0) yield group
  } finally {
    for (const { lines } of heads) await lines.return(undefined)
  }
}

async function * linesOf (fs: FileSystem, path: string): AsyncGenerator<Sidecar> {
  for await (const group of readManifest(fs, path, linesAtOnce)) yield * group.filter((line) => line !== undefined)
}

const leastId = (heads: readonly Head[]): string => heads.reduce((least, { sidecar: { id } }) => least === '' || id < least ? id : least, '')

function atOneId (heads: readonly Head[]): Named[] {
  const same = Map.groupBy(heads, ({ sidecar: { kind, extension, size, sha256 } }) => JSON.stringify([kind, extension, size, sha256]))
  return [...same.values()].flatMap(([first, ...others]) => first === undefined ? [] : [{ sidecar: first.sidecar, snapshots: [first, ...others].map(({ name }) => name) }])
}

async function advance (heads: Head[], named: readonly Head[]): Promise<void> {
  for (const head of named) {
    const next = await head.lines.next()
    if (next.done === true) heads.splice(heads.indexOf(head), 1)
    else head.sidecar = next.value
  }
}
