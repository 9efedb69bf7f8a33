// Writes all that a stream brings into a staged file.
import { storing } from './failures.ts'
import type { StagedFile } from './store.ts'

/** @throws StorageFull, StorageUnavailable: that also when the source fails */
export async function writeAll (staged: Pick<StagedFile, 'write'>, chunks: AsyncIterable<unknown>): Promise<void> {
  await storing(async () => {
    for await (const chunk of chunks) await staged.write(chunk as Buffer)
  })
}
