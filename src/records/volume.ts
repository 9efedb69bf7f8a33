// Which volume this database belongs to, and whether it knows any files on it; and which database it is.
import { randomUUID } from 'node:crypto'
import type { Claimant } from '../storage/claim.ts'
import type { KnownVolume } from '../storage/identity.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'

/** Of the setting. */
export const volumeKey = 'volumeId'

/** Of the setting. */
export const databaseKey = 'databaseId'

export function createVolumeRecord (client: PrismaClient) {
  /** The first value stays. With an update that changes nothing, as only then Prisma makes one statement of it, which two may run at once. */
  const keep = (key: string, value: string): Promise<string> => querying(async () =>
    (await client.setting.upsert({ where: { key }, create: { key, value }, update: { key } })).value)

  return {
    known: (): Promise<KnownVolume> => querying(async () => {
      const setting = await client.setting.findUnique({ where: { key: volumeKey } })
      const blob = await client.blob.findFirst({ where: { state: { not: 'swept' } }, select: { id: true } })
      return { volumeId: setting?.value, knowsFiles: blob !== null }
    }),

    /** The volume's identity is durable before the database keeps it; the first to say it is right. */
    remember: async (volumeId: string): Promise<void> => { await keep(volumeKey, volumeId) },

    /** This database as it comes to a home; one into which `database copy` brings the records has an id of its own. `onlyReads`: it makes none. */
    claimant: async ({ name, onlyReads }: Pick<Claimant, 'name' | 'onlyReads'>): Promise<Claimant> => {
      const id = onlyReads ? (await querying(() => client.setting.findUnique({ where: { key: databaseKey } })))?.value : await keep(databaseKey, randomUUID())
      return { id, name, onlyReads }
    },
  }
}
