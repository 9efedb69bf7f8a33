// One blob, wherever it is known from: its record, its file really read, its sidecar, and whether they agree.
import { relative } from 'node:path'
import type { Known, KnownBlob } from '../../records/known.ts'
import type { Erasure } from '../../storage/erasures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { BlobId } from '../../storage/ids.ts'
import type { KeyedHash } from '../../storage/keyed-hash.ts'
import type { BlobState } from '../../storage/ledger.ts'
import { decodeSidecar, type Sidecar } from '../../storage/sidecar.ts'
import type { Kind } from '../../storage/store.ts'
import { inspect } from '../../storage/volume/inspect.ts'
import { blobPath, dayFolder, kinds, parseName, sidecarPath } from '../../storage/volume/layout.ts'
import { refuseIfDenied } from '../access.ts'

const maxSidecarBytes = 1024 ** 2

export type Examined = {
  readonly id: BlobId
  readonly kind: Kind
  /** What the record says; null when there is none. */
  readonly record: (Omit<Sidecar, 'state' | 'version'> & { readonly state: BlobState, readonly isCurrentAvatar: boolean, readonly isSidecarDue: boolean }) | null
  /** What really is on the volume. `sha256`: of the bytes as they are now. */
  readonly file: { readonly path: string, readonly is: string, readonly size: number | null, readonly sha256: string | null, readonly isWhole: boolean, readonly reason: string | null }
  /** `differences`: members in which a whole sidecar does not say what the record says. */
  readonly sidecar: { readonly path: string, readonly is: 'whole' | 'damaged' | 'missing' | 'unreadable', readonly differences: readonly string[] }
  /** When a deleted or replaced one is removed for good, at the earliest. */
  readonly purgedAfter: string | null
  /** When its owner was erased, which this upload should not have survived. */
  readonly erasedAt: string | null
}

export type Place = {
  readonly fs: FileSystem
  readonly root: string
  /** Undefined where the database cannot be read. */
  readonly known: Known | undefined
  /** Undefined where the identity of the volume, and with it every keyed hash, is lost. */
  readonly hash: KeyedHash | undefined
  readonly erasures: readonly Erasure[]
  readonly trashRetentionMs: number
}

export async function examineRecord (place: Place, { sidecar, state, isCurrentAvatar, isSidecarDue }: KnownBlob): Promise<Examined> {
  const { version, ...facts } = sidecar
  return examine(place, sidecar, { ...facts, state, isCurrentAvatar, isSidecarDue })
}

/** What is on the volume under an id of which there is no record. @throws Refusal when this user may not look there */
export async function examineFiles (place: Place, id: BlobId): Promise<Examined[]> {
  const { fs, root } = place
  const found = await Promise.all(kinds.map(async (kind) => {
    const folder = dayFolder(root, { kind, id })
    const names = await fs.readdir(folder).catch((error: unknown) => {
      refuseIfDenied(folder, error)
      return []
    })
    const own = names.map((name) => parseName(name)).filter((name) => name?.id === id)
    if (own.length === 0) return []
    const extension = own.find((name) => name?.extension !== undefined)?.extension ?? 'bin'
    return [await examine(place, { kind, id, extension }, null)]
  }))
  return found.flat()
}

async function examine (place: Place, { kind, id, extension }: Pick<Sidecar, 'kind' | 'id' | 'extension'>, record: Examined['record']): Promise<Examined> {
  const { fs, root } = place
  const onVolume = await readSidecar(fs, root, { kind, id })
  const expected = record ?? onVolume.sidecar
  return {
    id, kind, record,
    file: await readFile(fs, root, blobPath(root, { kind, id, extension: expected?.extension ?? extension }), expected),
    sidecar: { path: onVolume.path, is: onVolume.is, differences: record === null || onVolume.sidecar === undefined ? [] : differences(record, onVolume.sidecar) },
    purgedAfter: purgedAfter(expected, place.trashRetentionMs),
    erasedAt: erasedAt(expected, place),
  }
}

async function readFile (fs: FileSystem, root: string, path: string, expected: Pick<Sidecar, 'size' | 'sha256'> | undefined): Promise<Examined['file']> {
  const look = await inspect(fs, path, { isHashed: true })
  const isFile = look.is === 'file'
  return {
    path: relative(root, path), is: look.is, size: isFile ? look.size : null, sha256: isFile ? look.sha256 ?? null : null,
    isWhole: isFile && expected !== undefined && look.size === expected.size && look.sha256 === expected.sha256,
    reason: look.is === 'unreadable' ? look.reason : null,
  }
}

async function readSidecar (fs: FileSystem, root: string, address: Pick<Sidecar, 'kind' | 'id'>): Promise<{ path: string, is: Examined['sidecar']['is'], sidecar: Sidecar | undefined }> {
  const path = sidecarPath(root, address)
  const look = await inspect(fs, path, { maxBytes: maxSidecarBytes })
  const sidecar = look.is === 'file' && look.bytes !== undefined ? decodeSidecar(look.bytes.toString()) : undefined
  const isOwn = sidecar?.id === address.id && sidecar.kind === address.kind
  return { path: relative(root, path), is: look.is === 'nothing' ? 'missing' : look.is === 'unreadable' ? 'unreadable' : isOwn ? 'whole' : 'damaged', sidecar: isOwn ? sidecar : undefined }
}

function differences (record: NonNullable<Examined['record']>, sidecar: Sidecar): string[] {
  const { isCurrentAvatar, isSidecarDue, ...said } = record
  return Object.entries(said).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(sidecar[name as keyof Sidecar])).map(([name]) => name)
}

function purgedAfter (expected: { state: BlobState, stateAt: string } | undefined, retentionMs: number): string | null {
  if (expected === undefined || (expected.state !== 'superseded' && expected.state !== 'deleted')) return null
  return new Date(new Date(expected.stateAt).getTime() + retentionMs).toISOString()
}

function erasedAt (expected: Pick<Sidecar, 'ownerId' | 'epoch'> | undefined, { hash, erasures }: Place): string | null {
  if (hash === undefined || expected === undefined || expected.ownerId === null) return null
  const key = hash('owner', expected.ownerId)
  return erasures.find(({ owner, epoch }) => owner === key && epoch > expected.epoch)?.at ?? null
}
