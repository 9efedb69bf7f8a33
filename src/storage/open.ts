// Opens the uploads volume: the checks of a start, in order, and then everything that storage offers.
import { performance } from 'node:perf_hooks'
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { ConfigError } from '../config.ts'
import { errnoOf, isFull, isUnwritable } from './failures.ts'
import type { FileSystem } from './fs.ts'
import { createErasures, ledgerPlaces } from './erasures.ts'
import { identify, identityAt, type KnownVolume } from './identity.ts'
import { createKeyedHash } from './keyed-hash.ts'
import { checkMount } from './mount.ts'
import { refuseUnfinishedRestore } from './restoring.ts'
import { createSegments } from './segments.ts'
import { createSpace } from './space.ts'
import { createTombstones } from './tombstones.ts'
import { createDurable } from './volume/durable.ts'
import { gatewayRole, type Role } from './volume/instance.ts'
import { createProbe, type Probe } from './volume/probe.ts'
import { openStaging, type Neighbour, type Staging } from './volume/staging.ts'
import { createVolume } from './volume/volume.ts'

/**
 * Before anything else touches the volume: it is there, a mount where one is required, and takes writes.
 * @throws ConfigError naming the folder and what to do.
 */
export async function prepareVolume ({ fs, root, requireMount, role = gatewayRole, warn }: { fs: FileSystem, root: string, requireMount: boolean, role?: Role, warn: (message: string) => void }): Promise<void> {
  const refuse = (error: unknown): never => {
    throw new ConfigError(`UPLOADS_DIR ${root} cannot be written. Mount a writable volume there, owned by the user that runs the gateway (${error instanceof Error ? error.message : String(error)}).`, { cause: error })
  }
  await makeFolder(fs, root).catch(refuse)
  await refuseUnfinishedRestore(fs, root, role)
  await checkMount({ folder: root, isRequired: requireMount, warn })
  const path = join(root, `.write-test-${randomUUID()}`)
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  await durable.writeNew(path, 'can this folder be written?').then(() => fs.unlink(path)).catch((error: unknown) => {
    // A full volume still serves what it has.
    if (!isFull(error)) refuse(error)
  })
}

/** Not `recursive`, which tries for ever where a folder says ENOENT of what is made in it, as /proc does. */
export async function makeFolder (fs: FileSystem, path: string): Promise<void> {
  const make = () => fs.mkdir(path, { mode: 0o750 }).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error
  })
  await make().catch(async (error: unknown) => {
    if (errnoOf(error) !== 'ENOENT' || path === dirname(path)) throw error
    await makeFolder(fs, dirname(path))
    await make()
  })
}

export type Storage = Awaited<ReturnType<typeof openStorage>>

type Options = {
  fs: FileSystem
  root: string
  reserveBytes: number | undefined
  known: KnownVolume
  /** The second place of the ledger of erasures. */
  secondLedger?: string | undefined
  role?: Role
  /** For who only reads: makes another place for the own folder when the volume takes no writes. */
  retreat?: (() => Promise<string>) | undefined
  /** Hears of processes elsewhere that are watched for a while, because nobody can tell yet whether they live. */
  onWait?: (neighbours: Neighbour[]) => void
  monotonicMs?: () => number
}

/**
 * @throws ConfigError when the volume is not the one that belongs to the database (promise 3), or a process is at work on
 * it that must be alone.
 */
export async function openStorage ({ fs, root, reserveBytes, known, secondLedger, role = gatewayRole, retreat, onWait, monotonicMs = () => performance.now() }: Options) {
  // During a start a failed fsync refuses the start; nobody has to remember it.
  const remember: Pick<Probe, 'noteSyncFailure'> = { noteSyncFailure () {} }
  const durable = createDurable({ fs, onSyncFailure: () => remember.noteSyncFailure() })
  await refuseUnfinishedRestore(fs, root, role)
  const volumeId = await identify({ fs, durable, root, known }).catch(refuseUnwritable(root))
  const openIn = (home: string) => openStaging({ fs, durable, root, home, role, monotonicMs })
  const staging = await openIn(root).catch(async (error: unknown) => {
    if (retreat === undefined || !isUnwritable(error)) throw error
    return openIn(await retreat())
  }).catch(refuseUnwritable(root))
  await refuseCompany(staging, root, role, onWait).catch(async (error: unknown) => {
    await staging.close()
    throw error
  })
  const hash = createKeyedHash(volumeId)
  const space = createSpace({ fs, folder: root, reserveBytes })
  const probe = createProbe({ fs, durable, staging })
  const isVolumeThere = async () => (await identityAt(fs, root))?.volumeId === volumeId
  remember.noteSyncFailure = probe.noteSyncFailure
  return {
    volumeId, hash, space, staging, probe,
    store: createVolume({ fs, durable, space, root, staging }),
    segments: createSegments({ fs, durable, root, isVolumeThere, checkSpace: () => space.check() }),
    erasures: createErasures({ fs, durable, hash, paths: ledgerPlaces(root, secondLedger) }),
    tombstones: createTombstones({ fs, durable, root }),
  }
}

/** Each writes its heartbeat before it looks for others', so that of two that start at once at least one sees the other. */
export async function refuseCompany (staging: Pick<Staging, 'living'>, root: string, role: Role, onWait?: (neighbours: Neighbour[]) => void): Promise<void> {
  const [other] = await staging.living({ relevant: ({ isExclusive }) => role.isExclusive || isExclusive, ...(onWait !== undefined && { onWait }) })
  if (other === undefined) return
  throw new ConfigError(`The volume ${root} is in use: ${other.work} runs on it as process ${other.pid}, and ${role.isExclusive ? role.work : other.work} must be alone there. Stop that process, or wait for its end, and run this again.`)
}

const refuseUnwritable = (root: string) => (error: unknown): never => {
  if (errnoOf(error) === 'EROFS') throw new ConfigError(`UPLOADS_DIR ${root} is mounted read-only. Mount it writable; "upload-gateway verify" and "backup" work on it as it is.`, { cause: error })
  throw isFull(error) ? new ConfigError(`UPLOADS_DIR ${root} is full: not even a small file for the start fits. Free some space or inodes on it.`, { cause: error }) : error
}
