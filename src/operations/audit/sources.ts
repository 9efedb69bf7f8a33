// Where the bytes of a lost or damaged blob may be found: under other names on the volume, in a blob alike, or in a backup.
import { basename, join, relative, resolve, sep } from 'node:path'
import type { Inventory } from '../../records/inventory.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { asBlobId } from '../../storage/ids.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import { inspect } from '../../storage/volume/inspect.ts'
import { blobPath } from '../../storage/volume/layout.ts'
import { blobsRoot } from '../backup/layout.ts'

/** Its hash was right a moment ago. */
export type Source = {
  /** Absolute. */
  readonly path: string
  /** For people: on the volume from its root, elsewhere absolute. */
  readonly shown: string
  /** Its name is one of the gateway's: it goes where it belongs, while others are copied. */
  readonly isMovable: boolean
}

export type Sources = ReturnType<typeof createSources>

/** Blobs of the same content to try. */
const maxAlike = 5

type Options = {
  readonly fs: FileSystem
  readonly root: string
  readonly inventory: Pick<Inventory, 'alike'>
  /** Files on the volume, relative to its root, that no row owns, or whose row they do not fit. */
  readonly strays: readonly string[]
  /** A backup folder, or a copy of the volume. */
  readonly from: string | undefined
}

export function createSources ({ fs, root, inventory, strays, from }: Options) {
  const paths = new Set(strays.map((path) => join(root, path)))
  /** Undefined: not looked at yet. */
  const sizes = new Map<string, number>()

  const source = (path: string, isMovable: boolean): Source => ({ path, isMovable, shown: path.startsWith(root + sep) ? relative(root, path) : resolve(path) })

  async function sizeOf (path: string): Promise<number> {
    const known = sizes.get(path)
    if (known !== undefined) return known
    const look = await inspect(fs, path)
    const size = look.is === 'file' ? look.size : -1
    sizes.set(path, size)
    return size
  }

  async function holds (path: string, { size, sha256 }: Pick<Sidecar, 'size' | 'sha256'>): Promise<boolean> {
    const look = await inspect(fs, path, { isHashed: true })
    return look.is === 'file' && look.size === size && look.sha256 === sha256
  }

  async function amongStrays (blob: Sidecar): Promise<Source | undefined> {
    const found: Source[] = []
    const own = blobPath(root, blob)
    for (const path of paths) {
      if (path !== own && await sizeOf(path) === blob.size && await holds(path, blob)) found.push(source(path, asBlobId(basename(path).slice(0, 36)) !== undefined))
    }
    return found.find(({ isMovable }) => isMovable) ?? found[0]
  }

  async function firstOf (candidates: readonly string[], blob: Sidecar): Promise<Source | undefined> {
    for (const path of candidates) if (await holds(path, blob)) return source(path, false)
    return undefined
  }

  return {
    /** Why there is nothing to put back. */
    nowhere: from === undefined ? 'Its bytes were found nowhere on the volume: name a backup with --from.' : `Its bytes were found nowhere, neither on the volume nor in ${resolve(from)}.`,

    async find (blob: Sidecar): Promise<Source | undefined> {
      const alike = async () => (await inventory.alike(blob, maxAlike)).map((other) => blobPath(root, other))
      const backedUp = from === undefined ? [] : [blobPath(blobsRoot(from), blob), blobPath(from, blob)]
      return await amongStrays(blob) ?? await firstOf(await alike(), blob) ?? await firstOf(backedUp, blob)
    },

    /** A file got another name. */
    moved (before: string, after: string): void {
      paths.delete(before)
      paths.add(after)
    },

    settled (path: string): void { paths.delete(path) },
  }
}
