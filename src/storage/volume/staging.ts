// The staging folders on the volume, one for each running process: this one's, kept alive, and dead ones, removed.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { validate } from 'uuid'
import { createAttempts } from '../attempts.ts'
import { errnoOf, ifAbsent } from '../failures.ts'
import type { FileSystem } from '../fs.ts'
import type { Durable } from './durable.ts'
import { gatewayRole, isRunning, ownHeartbeat, parseHeartbeat, type Heartbeat, type Role } from './instance.ts'
import { stagingFolder } from './layout.ts'

const heartbeatFile = 'heartbeat.json'
const beatEveryMs = 10_000

/** A process of another host or container is dead when its heartbeat has stood still this long, by our own clock. */
const silentMs = 90_000

export type Staging = Awaited<ReturnType<typeof openStaging>>

/** Another process on the same volume. */
export type Neighbour = Role & { readonly name: string, readonly pid: number, /** Of a gateway. */ readonly database?: string }

/** `home`: where the own folder is made, below the root unless that takes no writes: then no other process sees this one. */
type Options = { fs: FileSystem, durable: Durable, root: string, home?: string, /** Of the own folder: the same in each home where one process is seen. */ name?: string | undefined, role?: Role, /** Of a gateway: which one it has. */ database?: string | undefined, monotonicMs: () => number }

/** Makes this process's own folder and keeps its heartbeat until close. */
export async function openStaging ({ fs, durable, root, home = root, name = randomUUID(), role = gatewayRole, database, monotonicMs }: Options) {
  const parent = join(root, stagingFolder)
  const own = join(home, stagingFolder, name)
  const heartbeat = { ...ownHeartbeat(role), ...(database !== undefined && { database }) }
  const heartbeatPath = join(own, heartbeatFile)
  async function make (): Promise<void> {
    await durable.folder(own, home)
    heartbeat.inode = (await fs.stat(own)).ino
    await durable.writeNew(heartbeatPath, JSON.stringify(heartbeat))
  }
  await make().catch(async (error: unknown) => {
    // On a full volume there may be room for the folder, but not for what is in it.
    await fs.rm(own, { recursive: true, force: true }).catch(() => {})
    throw error
  })
  const lastSeen = new Map<string, { beat: number, atMs: number }>()
  let isClosed = false

  async function beat (): Promise<void> {
    heartbeat.beat += 1
    const handle = await fs.open(heartbeatPath, 'r+')
    try {
      await handle.write(JSON.stringify(heartbeat), 0)
    } finally {
      await handle.close()
    }
  }

  async function within<T> (work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || isClosed) throw error
      durable.forgetFolders()
      await make().catch((failure: unknown) => { if (errnoOf(failure) !== 'EEXIST') throw failure })
      return work()
    }
  }

  // A missed beat is no harm: others wait nine of them. Where its folder is gone it is made again, to be seen by who must be alone.
  let beating = Promise.resolve()
  const timer = setInterval(() => { beating = Promise.allSettled([beating, within(beat)]).then(() => {}) }, beatEveryMs).unref()

  /** Undefined when there is none. One that cannot be read is not taken for none: it throws. */
  async function heartbeatOf (instance: string): Promise<Heartbeat | undefined> {
    const read = () => fs.readFile(join(parent, instance, heartbeatFile), 'utf8').catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return ''
      throw error
    })
    // Twice: the first reading may have met it in the middle of a beat.
    return parseHeartbeat(await read()) ?? parseHeartbeat(await read())
  }

  /** A copy of a volume holds the heartbeats of those who live on the original: only watching tells. */
  async function isCopied ({ name, heartbeat: { inode } }: { name: string, heartbeat: Heartbeat }): Promise<boolean> {
    if (inode === undefined) return false
    return fs.stat(join(parent, name)).then(({ ino }) => ino !== inode, () => false)
  }

  async function isDead (instance: string): Promise<boolean> {
    let isUnknown = false
    const seen = await heartbeatOf(instance).catch(() => {
      // While an object store does not answer, nobody's heart is heard; on a volume one heartbeat may be damaged for good.
      isUnknown = fs.objects !== undefined
      return undefined
    })
    if (isUnknown) return false
    const running = seen === undefined ? undefined : isRunning(seen)
    if (running !== undefined) return !running
    const before = lastSeen.get(instance)
    const now = { beat: seen?.beat ?? -1, atMs: monotonicMs() }
    if (before !== undefined && before.beat === now.beat) return now.atMs - before.atMs >= silentMs
    lastSeen.set(instance, now)
    return false
  }

  async function dead (): Promise<string[]> {
    const names: string[] = []
    for (const instance of await others()) if (await isDead(instance)) names.push(instance)
    return names
  }

  const others = async (): Promise<string[]> => (await fs.readdir(parent).catch(ifAbsent([]))).filter((instance) => instance !== name && validate(instance))

  async function neighbours (): Promise<Array<{ name: string, heartbeat: Heartbeat }>> {
    const found = await Promise.all((await others()).map(async (instance) => ({ name: instance, heartbeat: await heartbeatOf(instance) })))
    return found.flatMap((one) => one.heartbeat === undefined ? [] : [{ name: one.name, heartbeat: one.heartbeat }])
  }

  return {
    folder: own,

    /**
     * The other processes that live on this volume and are `relevant`. Those of another host or container, or of a volume of which
     * this is a copy, are watched until their heart beats or has stood still for so long that they are dead, up to 90 s; `onWait` hears of
     * it first.
     */
    async living ({ relevant = () => true, onWait = () => {}, pauseMs = 1000 }: { relevant?: (neighbour: Neighbour) => boolean, onWait?: ((neighbours: Neighbour[]) => void) | undefined, pauseMs?: number } = {}): Promise<Neighbour[]> {
      const present = ({ name, heartbeat: { pid, work, isExclusive, database } }: { name: string, heartbeat: Heartbeat }): Neighbour => ({ name, pid, ...gatewayRole, ...(database !== undefined && { database }), ...(work !== undefined && { work }), ...(isExclusive !== undefined && { isExclusive }) })
      const found = (await neighbours()).filter((one) => relevant(present(one)))
      const running = await Promise.all(found.map(async (one) => isRunning(one.heartbeat) === true && await isCopied(one) ? undefined : isRunning(one.heartbeat)))
      const alive = found.filter((_, index) => running[index] === true)
      const unknown = found.filter((_, index) => running[index] === undefined)
      if (alive.length > 0 || unknown.length === 0) return alive.map(present)
      onWait(unknown.map(present))
      const startedAt = monotonicMs()
      while (monotonicMs() - startedAt < silentMs) {
        await setTimeout(pauseMs)
        const now = new Map((await neighbours()).map((one) => [one.name, one.heartbeat.beat]))
        const beating = unknown.filter((one) => now.has(one.name) && now.get(one.name) !== one.heartbeat.beat)
        if (beating.length > 0) return beating.map(present)
        // It has ended when its folder is gone; a heartbeat alone may be unreadable for a moment.
        const names = await others()
        if (unknown.every((one) => !names.includes(one.name))) return []
      }
      return []
    },

    /** The folders that dead processes left behind, by name. */
    dead,

    /** Removes what dead processes left behind; never touches a living one's. Returns how many folders went. */
    async removeDead (): Promise<number> {
      let removed = 0
      const attempts = createAttempts()
      for (const instance of await dead()) {
        await attempts.attempt(async () => {
          await fs.rm(join(parent, instance), { recursive: true, force: true })
          lastSeen.delete(instance)
          removed += 1
        })
      }
      attempts.end()
      return removed
    },

    /**
     * Does `work` in this process's folder; made again when it is gone, as after a suspension so long that others took this process for dead.
     */
    within,

    /** Uploads in flight in this process, and their bytes on the volume so far. */
    async usage (): Promise<{ files: number, bytes: number }> {
      const names = (await fs.readdir(own)).filter((entry) => entry !== heartbeatFile)
      const sizes = await Promise.all(names.map(async (entry) => (await fs.stat(join(own, entry)).catch(() => ({ size: 0 }))).size))
      return { files: names.length, bytes: sizes.reduce((sum, size) => sum + size, 0) }
    },

    async close (): Promise<void> {
      isClosed = true
      clearInterval(timer)
      // To an object store it would bring the heartbeat back.
      await beating
      await fs.rm(own, { recursive: true, force: true }).catch((error: unknown) => {
        // What is left in an object store that does not answer, others take for dead in time.
        if (fs.objects === undefined) throw error
      })
    },
  }
}
