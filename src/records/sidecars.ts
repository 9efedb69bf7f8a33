// Sidecars as the rows say they ought to be, and the settling of those that lag behind (I4, I9).
import type { Prisma } from '../generated/prisma/client.ts'
import { StorageUnavailable } from '../errors.ts'
import { createAttempts } from '../storage/attempts.ts'
import type { BlobId } from '../storage/ids.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { Store } from '../storage/store.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'
import { inserting } from './statements.ts'

const settlesPerRun = 1000

/** A change made this recently is being settled by the request that made it. */
const ownSettlingMs = 60_000

export const withRecord = { attachment: true, aliases: true } as const satisfies Prisma.BlobInclude

export type BlobRow = Prisma.BlobGetPayload<{ include: typeof withRecord }>

/** The row and its record as a sidecar. `state` must not be purging or swept: those have none. */
export function toSidecar (row: BlobRow): Sidecar {
  const { attachment } = row
  return {
    version: 1,
    kind: row.kind as Sidecar['kind'],
    id: row.id as BlobId,
    extension: row.extension,
    state: row.state as Sidecar['state'],
    stateAt: row.stateAt.toISOString(),
    createdAt: row.createdAt.toISOString(),
    revision: row.revision,
    recordId: attachment?.id ?? null,
    ownerId: row.ownerId,
    creatorId: row.creatorId,
    contentType: row.contentType,
    size: Number(row.size),
    sha256: row.sha256,
    width: row.width,
    height: row.height,
    filename: attachment?.filename ?? null,
    visibility: attachment?.visibility ?? null,
    contextType: attachment?.contextType ?? null,
    contextId: attachment?.contextId ?? null,
    alt: attachment?.alt ?? null,
    aliases: row.aliases.map(({ path }) => path).sort(),
    epoch: row.epoch,
    source: row.source,
    sourceSha256: row.sourceSha256,
    thumbhash: row.thumbhash,
    metadataRemoved: namesIn(row.metadataRemoved),
    keepsMetadata: row.keepsMetadata,
    crop: row.crop,
    originalId: row.originalId,
    readers: idsIn(attachment?.readers ?? null),
    readersEpoch: attachment?.readersEpoch ?? 0,
    expiresAt: attachment?.expiresAt?.toISOString() ?? null,
    scan: row.scan as Sidecar['scan'],
    scanSignature: row.scanSignature,
  }
}

/** The column holds what the sidecar has as a list. */
export const namesIn = (metadataRemoved: string | null): string[] | null => metadataRemoved?.split(',').filter((name) => name !== '') ?? null

/** The column of readers holds what the sidecar has as a list. */
export const idsIn = (readers: string | null): string[] => readers?.split(',') ?? []

export const joinIds = (readers: readonly string[]): string | null => readers.length === 0 ? null : readers.join()

/** The new blob's row, saying what its sidecar says. */
export const toBlobRow = (sidecar: Sidecar): Prisma.BlobCreateInput => ({
  ...columnsOf(sidecar),
  ...(sidecar.aliases.length === 0 ? {} : { aliases: { create: sidecar.aliases.map((path) => ({ path })) } }),
})

/** The same in SQL. */
export const newBlob = (sidecar: Sidecar): Prisma.Sql[] => [inserting('Blob', columnsOf(sidecar)), ...sidecar.aliases.map((path) => inserting('Alias', { path, blobId: sidecar.id }))]

function columnsOf (sidecar: Sidecar) {
  const { id, kind, extension, state, ownerId, creatorId, contentType, sha256, width, height, revision, epoch, source, sourceSha256, thumbhash, keepsMetadata, crop, originalId, scan, scanSignature } = sidecar
  return {
    id, kind, extension, state, ownerId, creatorId, contentType, sha256, width, height, revision, epoch, source, sourceSha256, thumbhash, keepsMetadata, crop, originalId, scan, scanSignature,
    metadataRemoved: sidecar.metadataRemoved?.join() ?? null,
    size: BigInt(sidecar.size),
    stateAt: new Date(sidecar.stateAt),
    createdAt: new Date(sidecar.createdAt),
  }
}

export type Settling = ReturnType<typeof createSettling>

export function createSettling ({ client, store, now }: { client: PrismaClient, store: Pick<Store, 'readSidecar' | 'writeSidecar' | 'remove'>, now: () => Date }) {
  const turns = new Map<string, Promise<void>>()

  const isUnchanged = async ({ id, revision }: BlobRow) => (await querying(() => client.blob.count({ where: { id, revision } }))) === 1

  async function settleOnce (id: string, written?: Sidecar): Promise<void> {
    const row = await querying(() => client.blob.findUnique({ where: { id }, include: withRecord }))
    if (row === null || row.state === 'purging' || row.state === 'swept') {
      // It was purged meanwhile, and its sidecar may have been removed before this one was written.
      if (written !== undefined) await store.remove(written)
      return
    }
    if (row.sidecarDueAt === null && written === undefined) return
    const sidecar = toSidecar(row)
    // What cannot be read is written over.
    const onVolume = await store.readSidecar(sidecar).catch(() => undefined)
    if (onVolume !== undefined && onVolume.revision > row.revision) {
      if (await isUnchanged(row)) throw new StorageUnavailable({ cause: new Error(`The sidecar of ${id} is newer than its record: the database is older than the volume. Stop the gateway and run "upload-gateway rebuild", which takes the volume's word.`) })
      return settleOnce(id, written)
    }
    await store.writeSidecar(sidecar)
    const { count } = await querying(() => client.blob.updateMany({ where: { id, revision: row.revision, state: row.state }, data: { sidecarDueAt: null } }))
    // Another process changed the row meanwhile, and may have written its newer sidecar before this older one.
    if (count === 0) await settleOnce(id, sidecar)
  }

  /** Writes the blob's sidecar as its row says now, durably. One at a time for each blob, so that the last word is the newest. */
  function settle (id: string): Promise<void> {
    const turn = (turns.get(id) ?? Promise.resolve()).catch(() => {}).then(() => settleOnce(id))
    const ended = turn.catch(() => {}).then(() => { if (turns.get(id) === ended) turns.delete(id) })
    turns.set(id, ended)
    return turn
  }

  return {
    settle,
    /** Settles what requests that failed or died left behind; at a start also what they changed just now. Returns how many. */
    async settleDue ({ isStart = false } = {}): Promise<number> {
      const before = isStart ? now() : new Date(now().getTime() - ownSettlingMs)
      const due = await querying(() => client.blob.findMany({ where: { sidecarDueAt: { lte: before } }, select: { id: true }, orderBy: { sidecarDueAt: 'asc' }, take: settlesPerRun }))
      const attempts = createAttempts()
      for (const { id } of due) await attempts.attempt(() => settle(id))
      attempts.end()
      return due.length
    },
  }
}
