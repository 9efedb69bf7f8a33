// Opens the uploads volume: the checks of a start, in order, and then everything that storage offers.
import { performance } from 'node:perf_hooks'
import { randomUUID } from 'node:crypto'
import { basename, join } from 'node:path'
import { ConfigError } from '../config.ts'
import { bothClaims, createClaim, type Claim, type Claimant } from './claim.ts'
import { createFallbackSegments } from './fallback/segments.ts'
import { createFallbackStore } from './fallback/store.ts'
import { errnoOf, ifAbsent, isFull, isUnwritable, storing } from './failures.ts'
import { folderName, homeName, homeRemedy, type FileSystem, type Move } from './fs.ts'
import { createErasures, ledgerPlaces } from './erasures.ts'
import { identify, identityAt, refuseUploads, type KnownVolume } from './identity.ts'
import { createKeyedHash } from './keyed-hash.ts'
import { createLease, leasedSegments, leasedStore } from './lease.ts'
import { createLeftovers } from './leftovers.ts'
import { makeFolder } from './make-folder.ts'
import { checkMount } from './mount.ts'
import { checkObjects, probeKey, requireWritable } from './objects/readiness.ts'
import { createObjectSegments } from './objects/segments.ts'
import { createObjectStore } from './objects/store.ts'
import { isWithin } from './place.ts'
import { keepingOpen } from './keeping-open.ts'
import { rememberingStore } from './remembering.ts'
import { refuseUnfinishedRestore } from './restoring.ts'
import { createSegments, type Segments } from './segments.ts'
import { createSpace, type Space } from './space.ts'
import type { Store } from './store.ts'
import { createTombstones } from './tombstones.ts'
import { createDurable, type Durable } from './volume/durable.ts'
import { copyRole, excludes, gatewayRole, readerRole, type Role } from './volume/instance.ts'
import type { Alone } from './volume/journal.ts'
import { stagingFolder } from './volume/layout.ts'
import { createProbe, type Probe } from './volume/probe.ts'
import { openStaging, type Neighbour, type Staging } from './volume/staging.ts'
import { createVolume } from './volume/volume.ts'

/**
 * Before anything else touches the volume: it is there, a mount where one is required, and takes writes; so does an object store
 * in its place, where the folder only holds what is in flight.
 * @throws ConfigError naming the folder and what to do.
 */
export async function prepareVolume ({ fs, root, requireMount, role = gatewayRole, warn }: { fs: FileSystem, root: string, requireMount: boolean, role?: Role, warn: (message: string) => void }): Promise<void> {
  const refuse = (error: unknown): never => {
    throw new ConfigError(`${folderName(fs, root)} cannot be written. Mount a writable volume there, owned by the user that runs the gateway (${error instanceof Error ? error.message : String(error)}).`, { cause: error })
  }
  await makeFolder(fs, root).catch(refuse)
  if (fs.objects !== undefined) await requireWritable(fs.objects)
  await refuseUnfinishedRestore(fs, root, role)
  if (fs.objects === undefined) await checkMount({ folder: root, name: folderName(fs, root), isRequired: requireMount, warn })
  const folder = await testFolder(fs, root)
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  await durable.writeNew(join(folder, `${writeTest}${randomUUID()}`), 'can this folder be written?').then(() => removeWriteTests(fs, folder)).catch((error: unknown) => {
    // A full volume still serves what it has.
    if (!isFull(error)) refuse(error)
  })
}

const writeTest = '.write-test-'

/** Also those of processes that were killed meanwhile. Who is at it at the same time does not miss its own. */
async function removeWriteTests (fs: FileSystem, folder: string): Promise<void> {
  for (const name of await fs.readdir(folder)) if (name.startsWith(writeTest)) await fs.unlink(join(folder, name)).catch(ifAbsent(undefined))
}

/**
 * The same for a gateway that changes nothing: the volume is there, and is one.
 * @throws ConfigError naming the folder and what to do.
 */
export async function findVolume ({ fs, root, requireMount, warn }: { fs: FileSystem, root: string, requireMount: boolean, warn: (message: string) => void }): Promise<void> {
  await refuseUnfinishedRestore(fs, root, readerRole)
  // Of one that cannot be read, `identify` tells more.
  if (await identityAt(fs, root).catch(() => null) === undefined) throw new ConfigError(`${homeName(fs, root)} holds no uploads volume, and READ_ONLY=true makes none. ${homeRemedy(fs, 'the volume')}; or, where there is none yet, start the gateway with READ_ONLY=false.`)
  if (fs.objects === undefined) await checkMount({ folder: root, name: folderName(fs, root), isRequired: requireMount, warn })
}

/** A file at the root would be an object. */
async function testFolder (fs: FileSystem, root: string): Promise<string> {
  if (fs.objects === undefined) return root
  const folder = join(root, stagingFolder)
  await makeFolder(fs, folder)
  return folder
}

export type Storage = Awaited<ReturnType<typeof openStorage>>

type Options = {
  fs: FileSystem
  root: string
  reserveBytes: number | undefined
  known: KnownVolume
  /** The database that this process is at work with; absent where one is made. */
  claimant?: Claimant | undefined
  /** The second place of the ledger of erasures. */
  secondLedger?: string | undefined
  /** How journals are appended to where several machines do; unless this process is the only one. */
  alone?: Alone | undefined
  role?: Role
  /** For who only reads: makes another place for the own folder when the volume takes no writes. */
  retreat?: (() => Promise<string>) | undefined
  /** Hears of processes elsewhere that are watched for a while, because nobody can tell yet whether they live. */
  onWait?: (neighbours: Neighbour[]) => void
  /** Of the folder in staging; the same for all homes where one process is at work. */
  instance?: string | undefined
  /** For small blobs that are read again and again; 0: none. */
  memoryBytes?: number
  /** Whoever reads a blob as it is is sent to the object store, where that is its home. */
  isRedirecting?: boolean
  monotonicMs?: () => number
}

/**
 * @throws ConfigError when the volume is not the one that belongs to the database (promise 3), or a process is at work on
 * it that must be alone.
 */
export async function openStorage ({ fs, root, reserveBytes, known, claimant, secondLedger, alone, role = gatewayRole, retreat, onWait, instance, memoryBytes = 0, isRedirecting = false, monotonicMs = () => performance.now() }: Options) {
  // During a start a failed fsync refuses the start; nobody has to remember it.
  const remember: Pick<Probe, 'noteSyncFailure'> = { noteSyncFailure () {} }
  const durable = createDurable({ fs, onSyncFailure: () => remember.noteSyncFailure() })
  // With an object store it holds only what can be made again, and is made wherever it is wanted.
  if (fs.objects !== undefined) await makeFolder(fs, root).catch(refuseUnwritable(folderName(fs, root)))
  await refuseUnfinishedRestore(fs, root, role)
  const volumeId = await identify({ fs, durable, root, known }).catch(refuseUnwritable(folderName(fs, root)))
  const presence = { name: instance, claimant, isNew: known.volumeId === undefined, role, onWait, monotonicMs }
  const openIn = (home: string) => openStaging({ fs, durable, root, home, database: seenAs(claimant), ...presence })
  const staging = await openIn(root).catch(async (error: unknown) => {
    if (retreat === undefined || !isUnwritable(error)) throw error
    return openIn(await retreat())
  }).catch(refuseUnwritable(folderName(fs, root)))
  const own = fs.move?.own ?? fs
  const claim = createClaim({ fs: own, durable, root, staging })
  await enter({ fs: own, staging, root, name: homeName(fs, root), claim }, presence).catch(refuseUnwritable(folderName(fs, root)))
  const hash = createKeyedHash(volumeId)
  const space = createSpace({ fs, folder: root, reserveBytes })
  const probe = createProbe({ fs, durable, staging })
  remember.noteSyncFailure = probe.noteSyncFailure
  const homes = await openHomes({ fs, durable, space, root, staging, probe, volumeId, isRedirecting }, claim, presence).catch(orClose(staging))
  if (claimant !== undefined && !claimant.onlyReads) await takeAll(homes.claim, claimant, presence.isNew).catch(orClose(homes.staging)).catch(refuseUnwritable(folderName(fs, root)))
  /** @throws ConfigError when another database has taken the home since this process came */
  const checkClaim = async () => { if (claimant !== undefined) await homes.claim.take({ ...claimant, onlyReads: true }) }
  const lease = createLease(checkClaim, monotonicMs)
  return {
    volumeId, hash, space, ...homes, lease,
    store: rememberingStore(keepingOpen(leasedStore(homes.store, lease)), memoryBytes),
    segments: leasedSegments(homes.segments, lease),
    removeLeftovers: createLeftovers({ staging, objects: fs.objects }),
    erasures: createErasures({ fs, durable, hash, paths: ledgerPlaces(root, secondLedger), alone: fs.objects === undefined || secondLedger !== undefined ? alone : undefined }),
    // An object store has each append as an object of its own.
    tombstones: createTombstones({ fs, durable, root, alone: fs.objects === undefined ? alone : undefined }),
    checkClaim,
  }
}

/** Of both homes of a move only when both may be had. */
async function takeAll (claim: Claim, claimant: Claimant, isNew: boolean): Promise<void> {
  // It got here because there are no uploads, which whoever was here before would miss.
  await (isNew ? claim.assign(claimant) : claim.take(claimant))
}

/** In a heartbeat. Who only reads is in no other's way. */
const seenAs = (claimant: Claimant | undefined): string | undefined => claimant?.onlyReads === false ? claimant.id : undefined

/** As whom others see this process, and what it hears of them; the same in each home. */
type Presence = { name: string | undefined, claimant: Claimant | undefined, /** The database belongs to no volume yet. */ isNew: boolean, role: Role, onWait: Options['onWait'] | undefined, monotonicMs: () => number }

/** For `catch`: who does not start is not seen any more. */
const orClose = (staging: Pick<Staging, 'close'>) => async (error: unknown): Promise<never> => {
  await staging.close()
  throw error
}

type Parts = { fs: FileSystem, durable: Durable, space: Space, root: string, staging: Staging, probe: Probe, volumeId: string, isRedirecting: boolean, isMoving?: boolean }

/** What differs between a volume and an object store beyond their file systems. */
function homeOf ({ fs, durable, space, root, staging, probe, volumeId, isRedirecting, isMoving = false }: Parts): { store: Store, segments: Segments, probe: Probe } {
  const checkSpace = () => space.check()
  const { objects } = fs
  if (objects === undefined) {
    const isVolumeThere = async () => (await identityAt(fs, root))?.volumeId === volumeId
    return { probe: isWithin(root, staging.folder) ? probe : readingProbe(isVolumeThere), store: createVolume({ fs, durable, space, root, staging, isMoving }), segments: createSegments({ fs, durable, root, isVolumeThere, checkSpace }) }
  }
  const key = probeKey(basename(staging.folder))
  return {
    probe: { ...probe, check: async () => { await Promise.all([probe.check(), checkObjects(objects, key)]) } },
    store: createObjectStore({ objects, fs, durable, space, root, staging, isRedirecting }),
    segments: createObjectSegments({ objects, fs, durable, staging, checkSpace }),
  }
}

type Home = { store: Store, segments: Segments, probe: Probe, staging: Staging, claim: Claim }

/** The own home; during a move with the other one behind it. */
async function openHomes (parts: Parts, claim: Claim, presence: Presence): Promise<Home> {
  const { fs: { move }, staging } = parts
  if (move === undefined) return { ...homeOf(parts), staging, claim }
  const other = await openOther(move, parts, presence)
  const own = homeOf({ ...parts, fs: move.own, isMoving: true })
  return {
    ...own,
    claim: bothClaims(claim, other.claim),
    staging: { ...staging, close: () => other.close().finally(staging.close) },
    store: createFallbackStore(own.store, other.store),
    segments: createFallbackSegments(own.segments, other.segments),
  }
}

type OtherHome = Pick<Home, 'store' | 'segments' | 'claim'> & { close: () => Promise<void> }

/** The other home of a move. This process is seen there too, so that nobody is alone there who must be. @throws ConfigError when it is none of this volume */
async function openOther ({ other: fs, root }: Move, parts: Parts, presence: Presence): Promise<OtherHome> {
  const found = await identityAt(fs, root).catch((error: unknown) => {
    throw new ConfigError(`STORAGE_FALLBACK_URL cannot be used: its identity cannot be read (${error instanceof Error ? error.message : String(error)}).`, { cause: error })
  })
  const name = fs.objects?.name ?? root
  if (found?.volumeId !== parts.volumeId) throw new ConfigError(`STORAGE_FALLBACK_URL ${name} is ${found === undefined ? 'no uploads volume' : `another volume: it is ${found.volumeId}, and this one ${parts.volumeId}`}. It must name the other home of this volume, which "upload-gateway storage copy" makes; or be empty when no move is under way.`)
  await refuseUnfinishedRestore(fs, root, presence.role)
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  const seen = await openStaging({ fs, durable, root, database: seenAs(presence.claimant), ...presence, name: basename(parts.staging.folder) }).catch((error: unknown) => {
    throw new ConfigError(`STORAGE_FALLBACK_URL ${name} cannot be written, and what is removed must go from both homes (${error instanceof Error ? error.message : String(error)}).`, { cause: error })
  })
  const claim = createClaim({ fs, durable, root, staging: seen })
  await enter({ fs, staging: seen, root, name, claim }, presence)
  return { close: seen.close, claim, ...homeOf({ ...parts, fs, durable, root, isRedirecting: false }) }
}

/** Of a volume that takes no writes: that it is there is all that can be asked of it. */
const readingProbe = (isVolumeThere: () => Promise<boolean>): Probe => ({
  noteSyncFailure () {},
  check: () => storing(async () => {
    if (!await isVolumeThere()) throw new Error('the volume is not there any more')
  }),
})

type Entered = { fs: FileSystem, staging: Staging, root: string, name: string, claim: Claim }

/** @throws ConfigError, and closes `staging`, when others are at work on the home of this `name` beside whom this process cannot be, or it belongs to another database */
async function enter ({ fs, staging, root, name, claim }: Entered, { role, claimant, isNew, onWait }: Presence): Promise<void> {
  const refuse = async () => {
    await refuseCompany(staging, root, role, onWait)
    if (claimant === undefined) return
    await refuseStranger(staging, name, seenAs(claimant), onWait)
    // After the look at the others: of two databases that come at once at least one has seen the other.
    // Again: until it was seen here, the right one may have come and gone; and of the other home of a move nobody has looked.
    if (isNew && !claimant.onlyReads) return refuseUploads(fs, root)
    await claim.take({ ...claimant, onlyReads: true })
  }
  await refuse().catch(orClose(staging))
}

/** Each writes its heartbeat before it looks for others', so that of two that start at once at least one sees the other. */
export async function refuseCompany (staging: Pick<Staging, 'living'>, root: string, role: Role, onWait?: (neighbours: Neighbour[]) => void): Promise<void> {
  const [other] = await staging.living({ relevant: (other) => excludes(role, other), onWait })
  if (other === undefined) return
  throw new ConfigError(`The volume ${root} is in use: ${other.work} runs on it as process ${other.pid}, and ${role.isExclusive ? role.work : other.work} must be alone there. ${role.work === copyRole.work && other.work === gatewayRole.work ? 'Start it again with READ_ONLY=true, or stop it,' : 'Stop that process, or wait for its end,'} and run this again.`)
}

/** Of two databases each would take the other's files for orphans. @throws ConfigError when a gateway with another one is at work */
async function refuseStranger (staging: Pick<Staging, 'living'>, name: string, databaseId: string | undefined, onWait?: (neighbours: Neighbour[]) => void): Promise<void> {
  if (databaseId === undefined) return
  const [other] = await staging.living({ relevant: ({ database }) => database !== undefined && database !== databaseId, onWait })
  if (other !== undefined) throw new ConfigError(`${name} is in use: ${other.work} runs on it as process ${other.pid}, with another database. All gateways of one volume have the same one: set DATABASE_URL to it; on several machines, to a PostgreSQL.`)
}

const refuseUnwritable = (name: string) => (error: unknown): never => {
  if (errnoOf(error) === 'EROFS') throw new ConfigError(`${name} is mounted read-only. Mount it writable; "upload-gateway verify" and "backup" work on it as it is.`, { cause: error })
  throw isFull(error) ? new ConfigError(`${name} is full: not even a small file for the start fits. Free some space or inodes on it.`, { cause: error }) : error
}
