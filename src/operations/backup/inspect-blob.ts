// Whether a blob of a backup is what its manifest says, and what to say when it is not.
import { errnoOf } from '../../storage/failures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import { blobPath } from '../../storage/volume/layout.ts'
import type { Finding, Problem } from '../finding.ts'
import { blobsFolder, blobsRoot } from './layout.ts'
import { hashing, withRegular, type Hashed } from './regular-file.ts'

/** A problem with a blob, before it is said where. */
export type BlobFault = { readonly problem: Problem, readonly detail: string }

/** Undefined when it is whole. `isHashed` false: by its size alone. */
export async function inspectBlob (fs: FileSystem, dir: string, sidecar: Sidecar, { isHashed, onBytes }: { isHashed: boolean, onBytes: (count: number) => void }): Promise<BlobFault | undefined> {
  try {
    return await withRegular(fs, blobPath(blobsRoot(dir), sidecar), async (handle, size) => {
      if (size !== sidecar.size) return sizeFault(size, sidecar)
      if (!isHashed) return undefined
      return hashFault(await hashing(handle, size, (chunk) => onBytes(chunk.length)), sidecar)
    })
  } catch (error) {
    return readFault(error)
  }
}

export const sizeFault = (size: number, sidecar: Sidecar): BlobFault => ({ problem: 'blob-size', detail: `It has ${size} bytes instead of ${sidecar.size}.` })

export function hashFault ({ size, sha256 }: Hashed, sidecar: Sidecar): BlobFault | undefined {
  if (size !== sidecar.size) return sizeFault(size, sidecar)
  return sha256 === sidecar.sha256 ? undefined : { problem: 'blob-corrupt', detail: `Its bytes have the sha-256 ${sha256} instead of ${sidecar.sha256}.` }
}

export function readFault (error: unknown): BlobFault {
  if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return { problem: 'blob-missing', detail: 'The file is not there.' }
  return { problem: 'blob-unreadable', detail: `It cannot be read: ${error instanceof Error ? error.message : String(error)}.` }
}

/** As a finding in the backup folder. */
export function inBackup ({ problem, detail }: BlobFault, sidecar: Sidecar): Finding {
  const path = blobPath(blobsFolder, sidecar)
  return { problem, detail, path, kind: sidecar.kind, id: sidecar.id, mend: 'Put the file there from another copy of this backup; or remove it and run the backup again, which copies it anew if the volume still has it.' }
}
