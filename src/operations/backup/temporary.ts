// A folder among the system's temporary files that does not stay for ever when its process is killed: it says whose it is.
import { lstatSync } from 'node:fs'
import { mkdtemp, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { FileSystem } from '../../storage/fs.ts'
import { isRunning, ownHeartbeat, parseHeartbeat } from '../../storage/volume/instance.ts'
import { namesIn, readText } from './snapshots.ts'

const ownerFile = 'owner.json'
const beatEveryMs = 60_000

/** One of another host, boot or container is dead when it was silent this long. */
const silentMs = 24 * 3_600_000

type Options = { readonly fs: FileSystem, readonly prefix: string, readonly parent?: string }

/** A new, empty folder; those of this user that dead processes left go first. */
export async function openTemporary ({ fs, prefix, parent = tmpdir() }: Options): Promise<{ folder: string, close (): Promise<void> }> {
  await removeDead(fs, parent, prefix)
  const own = await mkdtemp(join(parent, prefix))
  const owner = join(own, ownerFile)
  const folder = join(own, 'work')
  const timer = setInterval(() => { utimes(owner, new Date(), new Date()).catch(() => {}) }, beatEveryMs).unref()
  async function close (): Promise<void> {
    clearInterval(timer)
    await fs.rm(own, { recursive: true, force: true })
  }
  try {
    await writeFile(owner, JSON.stringify(ownHeartbeat({ work: prefix, isExclusive: false })))
    await fs.mkdir(folder, { mode: 0o700 })
    return { folder, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** What cannot be looked at or removed stays: it is in nobody's way. */
async function removeDead (fs: FileSystem, parent: string, prefix: string): Promise<void> {
  for (const name of (await namesIn(fs, parent)).filter((one) => one.startsWith(prefix))) {
    const path = join(parent, name)
    try {
      if (await isDead(fs, path)) await fs.rm(path, { recursive: true, force: true })
    } catch {}
  }
}

async function isDead (fs: FileSystem, path: string): Promise<boolean> {
  const folder = lstatSync(path)
  // Anybody may put anything there.
  if (!folder.isDirectory() || folder.uid !== process.getuid?.()) return false
  const owner = join(path, ownerFile)
  const heartbeat = parseHeartbeat(await readText(fs, owner) ?? '')
  const running = heartbeat === undefined ? undefined : isRunning(heartbeat)
  if (running !== undefined) return !running
  const { mtimeMs } = await fs.stat(owner).catch(() => folder)
  return Date.now() - mtimeMs > silentMs
}
