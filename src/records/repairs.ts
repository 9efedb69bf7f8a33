// Sets right rows that contradict each other, where the state of the blob settles it. Each change is a compare-and-set.
import { isLater } from './adopt.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'

/** `done`: the same, once it is. */
export type Repair = { readonly action: string, readonly done: string, readonly run: () => Promise<unknown> }

export function createRepairs ({ client, now }: { client: PrismaClient, now: () => Date }) {
  const find = (id: string) => querying(() => client.blob.findUnique({ where: { id }, include: { attachment: true, avatar: true } }))

  type Row = NonNullable<Awaited<ReturnType<typeof find>>>

  /** Only when the row is as it was looked at. */
  const changing = ({ id, state, revision }: Row, changes: { state?: string, stateAt?: Date }) =>
    client.blob.update({ where: { id, state, revision }, data: { ...changes, revision: { increment: 1 }, sidecarDueAt: now() } })

  function ofAttachment (row: Row): Repair | undefined {
    if (row.attachment === null || row.attachment.ownerId !== row.ownerId || row.avatar !== null || !['live', 'deleted'].includes(row.state)) return undefined
    const { id } = row.attachment
    const deletedAt = row.state === 'deleted' ? row.stateAt : null
    return {
      action: row.state === 'deleted' ? 'Call its record deleted too.' : 'Call its record not deleted.',
      done: `Its record is ${row.state === 'deleted' ? 'deleted too' : 'not deleted any more'}.`,
      run: () => querying(() => client.$transaction([changing(row, {}), client.attachment.update({ where: { id }, data: { deletedAt } })])),
    }
  }

  /** Live, but not pointed at. */
  async function ofUnshown (row: Row, userId: string): Promise<Repair> {
    const current = await querying(() => client.avatar.findUnique({ where: { userId }, include: { blob: true } }))
    if (current === null) return { action: 'Make it its owner\'s current picture.', done: 'It is its owner\'s current picture now.', run: () => querying(() => client.$transaction([changing(row, {}), client.avatar.create({ data: { userId, blobId: row.id } })])) }
    // Not before it was made: of two the later counts.
    const stateAt = isLater(current.blob, row) ? current.blob.stateAt : now()
    return { action: 'Call it replaced: its owner has another current picture.', done: 'It is called replaced now: its owner has another current picture.', run: () => querying(() => client.$transaction([changing(row, { state: 'superseded', stateAt })])) }
  }

  /** Pointed at, but not live. */
  function ofShown (row: Row, userId: string): Repair | undefined {
    if (userId !== row.ownerId) return undefined
    // What users see does not change, but for what they deleted.
    if (row.state === 'superseded') return { action: 'Call it current: it is what its owner is shown with.', done: 'It is called current now: it is what its owner is shown with.', run: () => querying(() => client.$transaction([changing(row, { state: 'live', stateAt: now() })])) }
    if (row.state !== 'deleted') return undefined
    return { action: 'Show its owner without it: it is deleted.', done: 'Its owner is shown without it now: it is deleted.', run: () => querying(() => client.$transaction([changing(row, {}), client.avatar.delete({ where: { userId, blobId: row.id } })])) }
  }

  return {
    /** What would set the row right; undefined when nothing says what is right. */
    async plan (id: string): Promise<Repair | undefined> {
      const row = await find(id)
      if (row === null) return undefined
      if (row.kind === 'attachment') return ofAttachment(row)
      if (row.kind !== 'avatar' || row.attachment !== null || row.ownerId === null) return undefined
      if (row.avatar !== null) return ofShown(row, row.avatar.userId)
      return row.state === 'live' ? ofUnshown(row, row.ownerId) : undefined
    },

    /** Records of a blob that has no row, before it gets one again. */
    async removeDangling (blobId: string): Promise<void> {
      if (await querying(() => client.blob.count({ where: { id: blobId } })) > 0) return
      await querying(() => client.$transaction([
        client.attachment.deleteMany({ where: { blobId } }),
        client.avatar.deleteMany({ where: { blobId } }),
        client.alias.deleteMany({ where: { blobId } }),
      ]))
    },
  }
}
