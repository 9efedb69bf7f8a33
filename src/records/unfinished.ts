// Resumable uploads of users who are erased: their rows, their segments, and whatever of them would still come; and of others', the names of their readers.
import { setImmediate } from 'node:timers/promises'
import { OwnerErased } from '../errors.ts'
import { remembering, type KeyedHash } from '../storage/keyed-hash.ts'
import type { UploadId } from '../storage/ids.ts'
import type { Segments } from '../storage/segments.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'

const rowsPerPage = 500

const { code, statusCode: status, message: detail } = new OwnerErased()
const failure = JSON.stringify({ code, status, detail })

export type Unfinished = ReturnType<typeof createUnfinished>

export function createUnfinished ({ client, segments, hash }: { client: PrismaClient, segments: Pick<Segments, 'removeForGood'>, hash: KeyedHash }) {
  const page = (after: string) => querying(() => client.resumable.findMany({ where: { id: { gt: after } }, orderBy: { id: 'asc' }, take: rowsPerPage, select: { id: true, ownerId: true, creatorId: true, erasureEpoch: true, metadata: true } }))

  async function remove (ids: readonly string[]): Promise<void> {
    // Who writes to it finds out with the next commit; the rows stay until the files are gone, or nobody would find those again.
    await querying(() => client.resumable.updateMany({ where: { id: { in: [...ids] } }, data: { state: 'failed', failure, finishAt: null, metadata: null, epoch: { increment: 1 } } }))
    for (const id of ids) await segments.removeForGood(id as UploadId)
    await querying(() => client.resumable.deleteMany({ where: { id: { in: [...ids] } } }))
  }

  /** What the client said of it is told again, and used when it is finished. */
  async function takeReadersOut ({ id, metadata }: { id: string, metadata: string | null }, stays: (userId: string) => boolean): Promise<void> {
    if (metadata === null || !readersPair.test(metadata)) return
    const left = withReaders(metadata, stays)
    if (left !== metadata) await querying(() => client.resumable.updateMany({ where: { id, metadata }, data: { metadata: left === '' ? null : left } }))
    // They may be hundreds in each of thousands, and each takes a hash.
    await setImmediate()
  }

  return {
    /**
     * Those by or for somebody in `targets`, by keyed hash, that began in a lower epoch than theirs; and in those of others, finished ones
     * too, their names as readers. Returns how many are gone.
     */
    async remove (targets: ReadonlyMap<string, number>): Promise<number> {
      const hashed = remembering(hash)
      const isOf = (userId: string, epoch: number) => epoch < (targets.get(hashed('owner', userId)) ?? 0)
      let removed = 0
      for (let after = ''; ;) {
        const rows = await page(after)
        const last = rows.at(-1)
        if (last === undefined) return removed
        const doomed = rows.filter(({ ownerId, creatorId, erasureEpoch }) => isOf(ownerId, erasureEpoch) || isOf(creatorId, erasureEpoch)).map(({ id }) => id)
        if (doomed.length > 0) await remove(doomed)
        removed += doomed.length
        const gone = new Set(doomed)
        for (const row of rows.filter(({ id }) => !gone.has(id))) await takeReadersOut(row, (userId) => !isOf(userId, row.erasureEpoch))
        after = last.id
      }
    },
  }
}

/** In Upload-Metadata (tus 1.0, creation): a name, and text in base64. */
const readersPair = /(?<=^|,)\s*readers +([A-Za-z0-9+/]+={0,2})\s*(?=,|$)/

/** The same text when all stay. */
function withReaders (metadata: string, stays: (userId: string) => boolean): string {
  return metadata.split(',').flatMap((pair) => {
    const encoded = readersPair.exec(pair)?.[1]
    if (encoded === undefined) return [pair]
    const named = Buffer.from(encoded, 'base64').toString().split(',')
    const left = named.filter(stays)
    if (left.length === named.length) return [pair]
    return left.length === 0 ? [] : [`readers ${Buffer.from(left.join()).toString('base64')}`]
  }).join()
}
