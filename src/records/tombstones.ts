// The tombstones as rows, so that a request can ask: written on the volume first, and brought back from there.
import type { KeyedHash } from '../storage/keyed-hash.ts'
import type { Doomed } from '../storage/ledger.ts'
import { tombstonesFor, type Tombstones } from '../storage/tombstones.ts'
import type { PrismaClient } from './database.ts'
import { isTaken, querying } from './failures.ts'

const keysPerQuery = 500

export type TombstoneRecords = ReturnType<typeof createTombstoneRecords>

export function createTombstoneRecords ({ client, tombstones, hash, now }: { client: PrismaClient, tombstones: Tombstones, hash: KeyedHash, now: () => Date }) {
  async function missing (keys: readonly string[]): Promise<string[]> {
    const known = new Set<string>()
    for (let at = 0; at < keys.length; at += keysPerQuery) {
      const rows = await querying(() => client.tombstone.findMany({ where: { key: { in: keys.slice(at, at + keysPerQuery) } }, select: { key: true } }))
      for (const { key } of rows) known.add(key)
    }
    return [...new Set(keys)].filter((key) => !known.has(key))
  }

  async function insert (keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return
    const data = keys.map((key) => ({ key, createdAt: now() }))
    try {
      await querying(() => client.tombstone.createMany({ data }))
    } catch (error) {
      // Another process was first with some of them.
      if (!isTaken(error)) throw error
      await insert(await missing(keys))
    }
  }

  /** A source that was imported again since is not gone. */
  async function withoutNewer (doomed: readonly Doomed[]): Promise<Doomed[]> {
    const sources = doomed.map(({ source }) => source).filter((source) => source !== null)
    if (sources.length === 0) return [...doomed]
    const rows = await querying(() => client.blob.findMany({ where: { source: { in: sources }, state: { not: 'purging' } }, select: { source: true } }))
    const alive = new Set(rows.map(({ source }) => source))
    return doomed.map((one) => alive.has(one.source) ? { ...one, source: null } : one)
  }

  /** What goes on as a copy without metadata is not gone. */
  async function withoutCopied (doomed: readonly Doomed[]): Promise<Doomed[]> {
    const rows = await querying(() => client.blob.findMany({ where: { originalId: { in: doomed.map(({ id }) => id) }, state: { not: 'purging' } }, select: { originalId: true } }))
    const copied = new Set(rows.map(({ originalId }) => originalId))
    return doomed.filter(({ id }) => !copied.has(id))
  }

  /** Owners of pictures who have none now: they removed it, and an import is not to bring another. */
  async function removers (doomed: readonly Doomed[]): Promise<string[]> {
    const owners = doomed.filter(({ kind }) => kind === 'avatar').map(({ ownerId }) => ownerId).filter((id) => id !== null)
    if (owners.length === 0) return []
    const rows = await querying(() => client.avatar.findMany({ where: { userId: { in: owners } }, select: { userId: true } }))
    const having = new Set(rows.map(({ userId }) => userId))
    return owners.filter((id) => !having.has(id))
  }

  /** Durable on the volume first. */
  async function remember (all: readonly string[]): Promise<void> {
    const keys = await missing(all)
    await tombstones.add(keys, now())
    await insert(keys)
  }

  return {
    /** Durable on the volume when it returns. */
    async entomb (doomed: readonly Doomed[]): Promise<void> {
      for (let at = 0; at < doomed.length; at += keysPerQuery) {
        const group = await withoutCopied(doomed.slice(at, at + keysPerQuery))
        const removed = (await removers(group)).map((id) => hash('avatar', id))
        await remember([...removed, ...(await withoutNewer(group)).flatMap((one) => tombstonesFor(hash, one))])
      }
    },

    /** Old paths that no file is to come from any more. Where a file is behind one here, that file decides. Durable on the volume when it returns. */
    async bury (paths: readonly string[]): Promise<void> {
      for (let at = 0; at < paths.length; at += keysPerQuery) {
        const group = paths.slice(at, at + keysPerQuery)
        const taken = new Set((await querying(() => client.alias.findMany({ where: { path: { in: group } }, select: { path: true } }))).map(({ path }) => path))
        await remember(group.filter((path) => !taken.has(path)).map((path) => hash('path', path)))
      }
    },

    hasPath: async (path: string): Promise<boolean> => (await missing([hash('path', path)])).length === 0,
    hasSource: async (source: string): Promise<boolean> => (await missing([hash('source', source)])).length === 0,
    /** The user removed their avatar once, and it is gone. */
    hasAvatar: async (ownerId: string): Promise<boolean> => (await missing([hash('avatar', ownerId)])).length === 0,

    /** Makes the rows say what the volume says. Returns how many were added. */
    async readIn (): Promise<number> {
      const keys = await missing([...(await tombstones.read()).keys])
      for (let at = 0; at < keys.length; at += keysPerQuery) await insert(keys.slice(at, at + keysPerQuery))
      return keys.length
    },
  }
}
