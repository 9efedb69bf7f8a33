// Which volume this database belongs to, and whether it knows any files on it.
import type { KnownVolume } from '../storage/identity.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'

const key = 'volumeId'

export function createVolumeRecord (client: PrismaClient) {
  return {
    known: (): Promise<KnownVolume> => querying(async () => {
      const setting = await client.setting.findUnique({ where: { key } })
      const blob = await client.blob.findFirst({ where: { state: { not: 'swept' } }, select: { id: true } })
      return { volumeId: setting?.value, knowsFiles: blob !== null }
    }),

    /** The volume's identity is durable before the database keeps it; the first to say it is right. */
    remember: (volumeId: string): Promise<void> => querying(async () => {
      await client.setting.upsert({ where: { key }, create: { key, value: volumeId }, update: {} })
    }),
  }
}
