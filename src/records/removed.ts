// What erasures removed, by keyed hash: kept for the receipt, which may be made by a later run than the one that removed it. Removes nothing itself.
import { createHash } from 'node:crypto'
import type { Kind } from '../storage/store.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'

/** `content`: keyed hash of the sha-256 of the bytes. */
export type RemovedBlob = { readonly id: string, readonly kind: Kind, readonly size: number, readonly content: string }

export type Removed = { readonly blobs: readonly RemovedBlob[], readonly accounts: number }

const notesOf = (owner: string): string => `removed:${owner}:`

/** Before the owner's key: when a receipt of all of it was made. */
const receiptMark = 'receipted:'

export function createRemoved (client: PrismaClient) {
  const notes = (owner: string) => ({ key: { startsWith: notesOf(owner) } })

  return {
    /** For one transaction with what begins the removal; of those that are noted already, as after a kill, nothing is lost. */
    noting (owner: string, removed: Removed) {
      const value = JSON.stringify(removed)
      const key = `${notesOf(owner)}${createHash('sha256').update(value).digest('hex')}`
      return client.setting.upsert({ where: { key }, create: { key, value }, update: { value } })
    },

    async of (owner: string): Promise<Removed> {
      const rows = await querying(() => client.setting.findMany({ where: notes(owner) }))
      const all = rows.map(({ value }) => JSON.parse(value) as Removed)
      return {
        blobs: [...new Map(all.flatMap(({ blobs }) => blobs).map((blob) => [blob.id, blob])).values()].sort((a, b) => a.id < b.id ? -1 : 1),
        accounts: all.reduce((sum, { accounts }) => sum + accounts, 0),
      }
    },

    /** From here on nothing is forgotten of the owner until a receipt was made. */
    awaiting: (owner: string) => client.setting.deleteMany({ where: { key: `${receiptMark}${owner}` } }),

    /** A receipt of all of it was made. Whether it arrived nobody knows, so it may be asked for again. */
    receipted (owner: string, at: Date) {
      const key = `${receiptMark}${owner}`
      const value = at.toISOString()
      return client.setting.upsert({ where: { key }, create: { key, value }, update: { value } })
    },

    /** Forgets what the receipts name that were made before `before`. */
    async forget (before: Date): Promise<void> {
      const marks = await querying(() => client.setting.findMany({ where: { key: { startsWith: receiptMark } } }))
      for (const { key, value } of marks.filter((mark) => new Date(mark.value) < before)) {
        const ofOwner = `${notesOf(key.slice(receiptMark.length))}%`
        // Unless an erasure began meanwhile, which awaits a receipt.
        await querying(() => client.$transaction([
          client.$executeRaw`DELETE FROM "Setting" WHERE "key" LIKE ${ofOwner} AND EXISTS (SELECT 1 FROM "Setting" AS "mark" WHERE "mark"."key" = ${key} AND "mark"."value" = ${value})`,
          client.setting.deleteMany({ where: { key, value } }),
        ]))
      }
    },
  }
}
