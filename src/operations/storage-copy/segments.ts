// Brings the segments of unfinished resumable uploads to the new home. One that grows meanwhile comes with what it has, and anew in the next pass.
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { querying } from '../../records/failures.ts'
import type { PrismaClient } from '../../records/database.ts'
import { errnoOf, ifAbsent } from '../../storage/failures.ts'
import type { UploadId } from '../../storage/ids.ts'
import { createDurable } from '../../storage/volume/durable.ts'
import { uploadFolder } from '../../storage/volume/layout.ts'
import { pour, withRegular } from '../backup/regular-file.ts'
import type { Progress } from '../progress.ts'
import type { OpenSide } from './sides.ts'

const segmentName = /^\d+-\d+$/
const over = ['finished', 'failed']

/** Returns how many were brought, and their bytes. */
export async function copySegments (source: OpenSide, target: OpenSide, { client, progress }: { client: PrismaClient, progress: Progress }): Promise<{ segments: number, segmentBytes: number }> {
  const ids = await source.storage.segments.uploads()
  const totals = { segments: 0, segmentBytes: 0 }
  progress.step('Copying unfinished uploads', ids.length)
  for (const id of ids) {
    if (await isUnfinished(client, id)) {
      for (const name of await segmentsOf(source, id)) {
        const bytes = await copySegment(source, target, join(uploadFolder('', id), name))
        if (bytes === undefined) continue
        totals.segments += 1
        totals.segmentBytes += bytes
      }
    }
    progress.advance()
  }
  return totals
}

const isUnfinished = async (client: PrismaClient, id: UploadId): Promise<boolean> =>
  await querying(() => client.resumable.count({ where: { id, state: { notIn: over } } })) > 0

async function segmentsOf ({ fs, root }: OpenSide, id: UploadId): Promise<string[]> {
  const names = await fs.readdir(uploadFolder(root, id)).catch(ifAbsent<string[]>([]))
  return names.filter((name) => segmentName.test(name))
}

/** One writer makes a segment, from its beginning on: one that is as long is the same. Undefined when nothing had to be done. */
async function copySegment (source: OpenSide, target: OpenSide, path: string): Promise<number | undefined> {
  const [from, to] = await Promise.all([sizeAt(source, path), sizeAt(target, path)])
  if (from <= to) return undefined
  return send(source, target, path).catch(async (error: unknown) => {
    // Who finishes an upload removes its segments.
    if (errnoOf(error) !== 'ENOENT' || await sizeAt(source, path) !== absent) throw error
    return undefined
  })
}

const absent = -1

const sizeAt = ({ fs, root }: OpenSide, path: string): Promise<number> =>
  fs.stat(join(root, path)).then(({ size }) => size, ifAbsent(absent))

async function send (source: OpenSide, { fs, root, storage }: OpenSide, path: string): Promise<number> {
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  const partial = join(storage.staging.folder, randomUUID())
  const out = await storage.staging.within(() => durable.create(partial))
  try {
    const { size } = await withRegular(source.fs, join(source.root, path), (handle, size) => pour(handle, size, out))
    await durable.sync(out)
    await durable.folder(dirname(join(root, path)), root)
    await fs.rename(partial, join(root, path))
    await durable.syncFolder(dirname(join(root, path)))
    return size
  } finally {
    await out.close()
    await fs.unlink(partial).catch(() => {})
  }
}
