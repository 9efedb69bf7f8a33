// A restore for practice: into a place that goes with it, beside a running gateway, so that a backup is known to be one.
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileSystem } from '../../storage/fs.ts'
import { makeFolder } from '../../storage/open.ts'
import { namesIn } from '../backup/snapshots.ts'
import { Refusal } from '../refusal.ts'
import { restore, type RestoreConfig, type RestoreOptions, type RestoreReport } from './restore.ts'

/** `into`: an empty folder; else one in the system's place for temporary files. */
export async function drill (config: RestoreConfig, dir: string, options: RestoreOptions): Promise<RestoreReport> {
  const { into, fs = fileSystem } = options
  if (into !== undefined) {
    await makeFolder(fs, into)
    const [stranger] = await namesIn(fs, into)
    if (stranger !== undefined) throw new Refusal(`${resolve(into)} is not empty: it has ${stranger}. A drill throws everything away afterwards, so name an empty folder.`)
  }
  const root = into ?? await mkdtemp(join(tmpdir(), 'upload-gateway-drill-'))
  try {
    return await restore(config, dir, { ...options, into: root })
  } finally {
    for (const name of await namesIn(fs, root)) await fs.rm(join(root, name), { recursive: true, force: true })
    if (into === undefined) await fs.rm(root, { recursive: true, force: true })
  }
}
