// The uploads volume as the gateway needs it: there, the right kind of file system, fast, with room; and who is at work on it.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Config } from '../../config.ts'
import { errnoOf } from '../../storage/failures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { identityAt } from '../../storage/identity.ts'
import { isMount } from '../../storage/mount.ts'
import { refuseUnfinishedRestore } from '../../storage/restoring.ts'
import { createSpace } from '../../storage/space.ts'
import { createDurable, writeAll } from '../../storage/volume/durable.ts'
import { gatewayRole, isRunning, parseHeartbeat } from '../../storage/volume/instance.ts'
import { stagingFolder } from '../../storage/volume/layout.ts'
import { asGatewayUser, deniedText, isDenied } from '../access.ts'
import { lookAtStore } from './object-store.ts'
import { checking, ok, problem, unknown, warning, type Check, type Seen } from './check.ts'

export type VolumeSettings = Pick<Config, 'uploadsDir' | 'requireMount' | 'diskReserveBytes'>

type Options = { config: VolumeSettings, fs: FileSystem, monotonicMs: () => number, measured?: { files: number, bytes: number } }

/** statfs(2) types; the list is for people. */
const fileSystems = new Map([
  [0xef53, 'ext4'], [0x58465342, 'XFS'], [0x9123683e, 'Btrfs'], [0x2fc12fc1, 'ZFS'], [0x01021994, 'tmpfs'], [0x794c7630, 'overlay'],
  [0x6969, 'NFS'], [0xfe534d42, 'SMB'], [0xff534d42, 'CIFS'], [0x01021997, '9p'], [0x65735546, 'FUSE'],
])

const inMemory = 0x01021994
const overlay = 0x794c7630

const slowSyncMs = 20
const slowBytesPerSecond = 20e6

export async function checkVolume ({ config, fs, monotonicMs, measured = { files: 20, bytes: 16 * 1024 ** 2 } }: Options): Promise<Check[]> {
  const { uploadsDir: root, diskReserveBytes } = config
  const { objects } = fs
  const isFolder = await fs.stat(root).then((stats) => stats.isDirectory(), (error: unknown) => isDenied(error) ? deniedText(root, error) : false)
  if (typeof isFolder === 'string') return checking('volume', [{ name: 'folder', look: () => problem(`${isFolder}.`, asGatewayUser) }])
  if (!isFolder && objects !== undefined) return checking('volume', [{ name: 'object store', look: () => lookAtStore(objects, monotonicMs) }])
  if (!isFolder) return checking('volume', [{ name: 'folder', look: () => problem(`There is no folder ${root}.`, 'Mount the volume there, or set UPLOADS_DIR to it.') }])
  const isThere = await identityAt(fs, root).then((identity) => identity !== undefined, () => false)
  return checking('volume', [
    { name: 'identity', look: () => identity(fs, root) },
    // Of an object store the folder holds only what is in flight.
    ...objects !== undefined
      ? [{ name: 'object store', look: () => lookAtStore(objects, monotonicMs) }]
      : [{ name: 'mount', look: () => mount(config) }, { name: 'file system', look: async () => fileSystem((await fs.statfs(root)).type >>> 0) }],
    { name: 'restore', look: () => restore(fs, root) },
    { name: 'free space', look: () => freeSpace(fs, root, diskReserveBytes) },
    { name: 'inodes', look: () => inodes(fs, root) },
    // Only on what is known to be a volume: nothing is written into a folder that merely has its path.
    { name: 'writing', look: () => isThere ? writing({ fs, root, diskReserveBytes, monotonicMs, measured }) : unknown('Nothing was written, as it is not known to be a volume.') },
    { name: 'processes', look: () => processes(fs, root) },
  ])
}

async function identity (fs: FileSystem, root: string): Promise<Seen> {
  const found = await identityAt(fs, root)
  if (found === undefined) return problem(`${fs.objects?.name ?? root} is no uploads volume: it has no identity file.`, fs.objects === undefined ? 'Mount the volume at UPLOADS_DIR, or set UPLOADS_DIR to it. On the first start the gateway makes one of an empty folder.' : 'Set STORAGE_URL to where the uploads are. On the first start the gateway makes a volume of an empty place.')
  return ok(`${fs.objects?.name ?? root} is an uploads volume, made on ${found.createdAt.slice(0, 10)}.`)
}

async function mount ({ uploadsDir: root, requireMount }: VolumeSettings): Promise<Seen> {
  if (await isMount(root)) return ok(`${root} is a mount of its own.`)
  const detail = `${root} is an ordinary folder, not a mount of its own.`
  return requireMount ? problem(`${detail} The gateway does not start with REQUIRE_MOUNT=true.`, 'Mount a volume there.') : warning(detail, 'Fine on a machine of its own. In a container mount a volume there, and set REQUIRE_MOUNT=true.')
}

function fileSystem (type: number): Seen {
  const name = fileSystems.get(type) ?? `a file system of type 0x${type.toString(16)}`
  if (type === inMemory) return problem(`The volume is in memory (${name}): all uploads are gone with the next restart.`, 'Mount a disk there.')
  if (type === overlay) return problem(`The volume is in the container's own layers (${name}), and gone with the container.`, 'Mount a volume there.')
  return ok(`The volume is on ${name}.`)
}

async function restore (fs: FileSystem, root: string): Promise<Seen> {
  return refuseUnfinishedRestore(fs, root, gatewayRole).then(() => ok('No restore was left unfinished.'), (error: unknown) => {
    if (isDenied(error)) throw error
    return problem(error instanceof Error ? error.message : String(error), 'Do what the sentence says: the gateway does not start until then.')
  })
}

async function freeSpace (fs: FileSystem, root: string, reserve: number | undefined): Promise<Seen> {
  const { freeBytes, reserveBytes } = await createSpace({ fs, folder: root, reserveBytes: reserve }).measure()
  const said = `${megabytes(freeBytes)} are free; uploads leave ${megabytes(reserveBytes)} alone.`
  if (freeBytes <= reserveBytes) return problem(`${said} Every upload is answered with 507.`, 'Make the volume larger, or remove trash with "upload-gateway trash purge".')
  return freeBytes < 2 * reserveBytes ? warning(said, 'Make the volume larger before uploads are refused.') : ok(said)
}

async function inodes (fs: FileSystem, root: string): Promise<Seen> {
  const { files, ffree } = await fs.statfs(root)
  if (files === 0) return ok('This file system has no fixed number of inodes.')
  const said = `${ffree.toLocaleString('en')} of ${files.toLocaleString('en')} inodes are free; every upload takes two.`
  return ffree < 16 ? problem(`${said} Every upload is answered with 507.`, 'Use a file system with more inodes.') : ffree < files * 0.05 ? warning(said, 'Use a file system with more inodes before uploads are refused.') : ok(said)
}

type Writing = { fs: FileSystem, root: string, diskReserveBytes: number | undefined, monotonicMs: () => number, measured: { files: number, bytes: number } }

async function writing ({ fs, root, diskReserveBytes, monotonicMs, measured }: Writing): Promise<Seen> {
  const { freeBytes, reserveBytes } = await createSpace({ fs, folder: root, reserveBytes: diskReserveBytes }).measure()
  if (freeBytes - measured.bytes < reserveBytes) return unknown('Nothing was written, to leave the last free space alone.')
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  // Named as a process's own staging, so that the gateway removes it when this is killed.
  const folder = join(root, stagingFolder, randomUUID())
  await durable.folder(folder, root)
  try {
    const syncMs = await medianSyncMs(durable, folder, measured.files, monotonicMs)
    const bytesPerSecond = await speed(durable, join(folder, 'large'), measured.bytes, monotonicMs)
    const said = `A small file is durable in ${syncMs.toFixed(1)} ms; large ones are written at ${megabytes(bytesPerSecond)} a second.`
    if (syncMs > slowSyncMs || bytesPerSecond < slowBytesPerSecond) return warning(`${said} An upload waits for three such files.`, 'Use a faster disk, or one whose write cache survives a power cut.')
    return ok(said)
  } finally {
    await fs.rm(folder, { recursive: true, force: true })
  }
}

type Durable = ReturnType<typeof createDurable>

async function medianSyncMs (durable: Durable, folder: string, files: number, monotonicMs: () => number): Promise<number> {
  const times: number[] = []
  for (let index = 0; index < files; index += 1) {
    const from = monotonicMs()
    await durable.writeNew(join(folder, `small-${index}`), 'how long does this take?')
    times.push(monotonicMs() - from)
  }
  return times.sort((a, b) => a - b)[Math.floor(files / 2)] ?? 0
}

async function speed (durable: Durable, path: string, bytes: number, monotonicMs: () => number): Promise<number> {
  const chunk = Buffer.alloc(1024 ** 2, 'x')
  const handle = await durable.create(path)
  try {
    const from = monotonicMs()
    for (let written = 0; written < bytes; written += chunk.length) await writeAll(handle, [chunk], written)
    await durable.sync(handle)
    return bytes / Math.max(0.001, (monotonicMs() - from) / 1000)
  } finally {
    await handle.close()
  }
}

async function processes (fs: FileSystem, root: string): Promise<Seen> {
  const names = await fs.readdir(join(root, stagingFolder)).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  const found = await Promise.all(names.map(async (name) => parseHeartbeat(await fs.readFile(join(root, stagingFolder, name, 'heartbeat.json'), 'utf8').catch(unlessDenied))))
  const said = found.filter((heartbeat) => heartbeat !== undefined).flatMap((heartbeat) => {
    const running = isRunning(heartbeat)
    return running === false ? [] : [`${heartbeat.work ?? gatewayRole.work} (process ${heartbeat.pid}${running === undefined ? ' of another host, container or boot: alive or not' : ''})`]
  })
  return ok(said.length === 0 ? 'No process is at work on it.' : `At work on it: ${said.join(', ')}.`)
}

/** One that is gone meanwhile says nothing; one that may not be read may be alive. */
function unlessDenied (error: unknown): string {
  if (isDenied(error)) throw error
  return ''
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6).toLocaleString('en')} MB`
