// A restore for practice: into a place that goes with it, beside a running gateway, so that a backup is known to be one.
import { fileSystem } from '../../storage/fs.ts'
import { makeFolder } from '../../storage/make-folder.ts'
import { openTemporary } from '../backup/temporary.ts'
import { refuseInside } from './inside.ts'
import { restore, type RestoreConfig, type RestoreOptions, type RestoreReport } from './restore.ts'

/** In a new folder below `into`, or below the system's place for temporary files. What a killed drill left there goes first. */
export async function drill (config: RestoreConfig, dir: string, { into, ...options }: RestoreOptions): Promise<RestoreReport> {
  const { fs = fileSystem } = options
  if (into !== undefined) {
    await refuseInside({ root: into, dir, uploadsDir: config.uploadsDir })
    await makeFolder(fs, into)
  }
  const { folder, close } = await openTemporary({ fs, prefix: 'upload-gateway-drill-', ...(into !== undefined && { parent: into }) })
  try {
    return await restore(config, dir, { ...options, into: folder })
  } finally {
    await close()
  }
}
