// What the rows say that the journals on the volume must hold: erasures and tombstones. Changes nothing.
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'

const rowsPerPage = 1000

export type Journaled = ReturnType<typeof createJournaled>

export function createJournaled (client: PrismaClient) {
  return {
    /** The ids of erasures that began up to `until`. */
    async erasures (until: Date): Promise<string[]> {
      const ids: string[] = []
      for (let after = 0; ;) {
        const rows = await querying(() => client.erasure.findMany({ where: { epoch: { gt: after }, createdAt: { lte: until } }, orderBy: { epoch: 'asc' }, take: rowsPerPage, select: { epoch: true, id: true } }))
        const last = rows.at(-1)
        if (last === undefined) return ids
        ids.push(...rows.map(({ id }) => id))
        after = last.epoch
      }
    },

    /** The keys of tombstones that `known` does not have. */
    async tombstonesBeside (known: ReadonlySet<string>): Promise<string[]> {
      const beside: string[] = []
      for (let after = ''; ;) {
        const rows = await querying(() => client.tombstone.findMany({ where: { key: { gt: after } }, orderBy: { key: 'asc' }, take: rowsPerPage, select: { key: true } }))
        const last = rows.at(-1)
        if (last === undefined) return beside
        beside.push(...rows.map(({ key }) => key).filter((key) => !known.has(key)))
        after = last.key
      }
    },
  }
}
