// Whether the volume can do its work: writes, fsyncs and reads back a small file. Remembers a failed fsync (I6).
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { StorageUnavailable } from '../../errors.ts'
import { isFull, storing } from '../failures.ts'
import type { FileSystem } from '../fs.ts'
import type { Durable } from './durable.ts'
import type { Staging } from './staging.ts'

/** After a failed fsync the kernel may have dropped the bytes and forgotten the error: one good fsync proves little. */
const probesAfterFailure = 3

export type Probe = {
  /** An fsync failed: not ready until three probes in a row succeed. */
  noteSyncFailure (): void
  /** Probes the volume. Throws StorageUnavailable when it cannot work, or has not yet shown that it can again. */
  check (): Promise<void>
}

export function createProbe ({ fs, durable, staging }: { fs: FileSystem, durable: Durable, staging: Pick<Staging, 'folder' | 'within'> }): Probe {
  let owed = 0
  let failures = 0

  async function writeAndRead (): Promise<void> {
    const path = join(staging.folder, `${randomUUID()}.probe`)
    const text = randomUUID()
    await staging.within(() => durable.writeNew(path, text))
    try {
      if (await fs.readFile(path, 'utf8') !== text) throw new Error('The volume gave back other bytes than were written.')
    } finally {
      await fs.unlink(path)
    }
  }

  return {
    noteSyncFailure () {
      owed = probesAfterFailure
      failures += 1
    },
    async check () {
      const before = failures
      try {
        await writeAndRead()
      } catch (error) {
        // A full disk is no fault of the volume: reads and deletes go on, and uploads get their own clear answer.
        if (isFull(error) && owed === 0) return
        if (owed > 0) owed = probesAfterFailure
        return storing(() => Promise.reject(error))
      }
      // A probe that began before the failure proves nothing about the time after it.
      if (owed > 0 && failures === before) owed -= 1
      if (owed > 0) throw new StorageUnavailable({ cause: new Error(`an fsync failed; ${owed} more probes must succeed`) })
    },
  }
}
