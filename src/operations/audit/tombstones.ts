// Writes tombstones that the volume has lost anew from the database, so that a rebuild knows them again.
import { createJournaled } from '../../records/journaled.ts'
import { tombstonesFile } from '../../storage/volume/layout.ts'
import { inspect } from '../../storage/volume/inspect.ts'
import { join } from 'node:path'
import type { Finding } from '../finding.ts'
import { left, type Mending, type Tools } from './mending.ts'

export async function mendTombstones ({ fs, root, client, now, storage: { tombstones } }: Pick<Tools, 'fs' | 'root' | 'client' | 'now' | 'storage'>, { path, mend }: Pick<Finding, 'path' | 'mend'>): Promise<Mending> {
  if (path !== tombstonesFile || !['file', 'nothing'].includes((await inspect(fs, join(root, path))).is)) return left(mend)
  const lost = await createJournaled(client).tombstonesBeside((await tombstones.read()).keys)
  if (lost.length === 0) return left(mend)
  return { action: 'Write what it has lost anew from the database.', done: 'What it had lost was written anew from the database.', mend: () => tombstones.add(lost, now()) }
}
