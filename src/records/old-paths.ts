// Which paths of older systems this gateway has a say in, whatever became of the file: no old folder answers for them any more.
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'
import type { TombstoneRecords } from './tombstones.ts'

/** True also when the file is deleted, or gone for good. */
export function createKnownPaths ({ client, tombstones }: { client: PrismaClient, tombstones: Pick<TombstoneRecords, 'hasPath'> }): (path: string) => Promise<boolean> {
  return async (path) => await querying(() => client.alias.count({ where: { path } })) > 0 || tombstones.hasPath(path)
}
