// A restore for practice: into a place that goes with it, beside a running gateway, so that a backup is known to be one.
import { join, resolve } from 'node:path'
import { fileSystem, type FileSystem } from '../../storage/fs.ts'
import { makeFolder } from '../../storage/open.ts'
import { namesIn } from '../backup/snapshots.ts'
import { openTemporary } from '../backup/temporary.ts'
import { Refusal } from '../refusal.ts'
import { restore, type RestoreConfig, type RestoreOptions, type RestoreReport } from './restore.ts'

/** `into`: an empty folder; else one in the system's place for temporary files. */
export async function drill (config: RestoreConfig, dir: string, options: RestoreOptions): Promise<RestoreReport> {
  const { into, fs = fileSystem } = options
  if (into === undefined) return amongTemporaryFiles(config, dir, options, fs)
  await makeFolder(fs, into)
  const [stranger] = await namesIn(fs, into)
  if (stranger !== undefined) throw new Refusal(`${resolve(into)} is not empty: it has ${stranger}. A drill throws everything away afterwards, so name an empty folder.`)
  try {
    return await restore(config, dir, options)
  } finally {
    for (const name of await namesIn(fs, into)) await fs.rm(join(into, name), { recursive: true, force: true })
  }
}

async function amongTemporaryFiles (config: RestoreConfig, dir: string, options: RestoreOptions, fs: FileSystem): Promise<RestoreReport> {
  const { folder, close } = await openTemporary({ fs, prefix: 'upload-gateway-drill-' })
  try {
    return await restore(config, dir, { ...options, into: folder })
  } finally {
    await close()
  }
}
