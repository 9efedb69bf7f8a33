// A file that is on the volume already, durable, as one in flight: under a second name, so that the first still has the bytes when it comes to nothing.
import { storing } from '../failures.ts'
import { readOrdinary, type FileSystem } from '../fs.ts'
import { readHead, type VolumeStagedFile } from './staged-file.ts'
import { isAsLeft, type Left } from './runs.ts'
import type { Staging } from './staging.ts'

/** Nobody writes to it any more. */
export type Whole = { readonly path: string, readonly sha256: string, readonly left: Left }

type Options = { fs: FileSystem, staging: Pick<Staging, 'within'>, path: string }

/** Undefined where a file cannot have two names, or is not as it was left. */
export async function adoptFile ({ fs, staging, path }: Options, whole: Whole): Promise<VolumeStagedFile | undefined> {
  const { left: { size }, sha256 } = whole
  const handle = await linked(fs, staging, path, whole)
  if (handle === undefined) return undefined
  let state: 'open' | 'closed' | 'released' = 'open'

  async function close (): Promise<void> {
    if (state !== 'open') return
    state = 'closed'
    await handle?.close()
  }

  return {
    path,
    size,
    async write () { throw new TypeError('nothing is written to what others have, too') },
    finish: async () => ({ size, sha256 }),
    head: (length) => storing(() => readHead(handle, Math.min(length, size))),
    seal: (expected) => storing(async () => {
      if (expected.size !== size || expected.sha256 !== sha256) throw new Error('The sidecar does not say what was written.')
      await close()
    }),
    release () { state = 'released' },
    async discard () {
      if (state === 'released') return
      await close().catch(() => {})
      state = 'released'
      await fs.unlink(path).catch(() => {})
    },
  }
}

async function linked (fs: FileSystem, staging: Options['staging'], path: string, whole: Whole) {
  const { link } = fs
  if (link === undefined) return undefined
  try {
    await staging.within(() => link(whole.path, path))
    const handle = await fs.open(path, readOrdinary)
    const now = await handle.stat().catch(() => undefined)
    if (now !== undefined && isAsLeft(now, whole.left)) return handle
    await handle.close()
  } catch {}
  await fs.unlink(path).catch(() => {})
  return undefined
}
