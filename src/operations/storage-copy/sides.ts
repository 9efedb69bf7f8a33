// The two homes of a copy: opened side by side, and refused where they do not belong together. Copies nothing but the identity.
import { join, sep } from 'node:path'
import { randomUUID } from 'node:crypto'
import { homeAddress, type Config, type HomeAddress } from '../../config.ts'
import { claimAt, type Claimant } from '../../storage/claim.ts'
import { ifAbsent } from '../../storage/failures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { openHomeAt, type HomeConfig } from '../../storage/home.ts'
import { identityAt, type KnownVolume } from '../../storage/identity.ts'
import type { openObjects } from '../../storage/objects/open.ts'
import { readOrdinaryText } from '../../storage/ordinary-file.ts'
import { openStorage, prepareVolume, type Storage } from '../../storage/open.ts'
import { createDurable } from '../../storage/volume/durable.ts'
import { cacheFolder, databaseFolder, identityFile, stagingFolder } from '../../storage/volume/layout.ts'
import type { Progress } from '../progress.ts'
import { realPath } from '../real-path.ts'
import { reasonOf } from '../reason.ts'
import { Refusal } from '../refusal.ts'
import { refuseForeignRoot } from '../volume-user.ts'

/** As a command line names a home. */
export type Named = { readonly url: string, readonly endpoint: string, readonly isPathStyle: boolean }

export type Side = { readonly fs: FileSystem, readonly root: string, /** For people. */ readonly name: string }

export type OpenSide = Side & { readonly storage: Storage }

export type SidesConfig = HomeConfig & Pick<Config, 'requireMount' | 'diskReserveBytes'>

type Options = { readonly from: Named, readonly to: Named, /** Of the database. */ readonly volumeId: string | undefined, readonly claimant: Claimant, readonly progress: Progress, readonly open?: typeof openObjects }

const role = { work: 'storage copy', isExclusive: false }

/** @throws Refusal, ConfigError with what to do */
export async function withSides<T> (config: SidesConfig, { from, to, volumeId, claimant, progress, open }: Options, use: (source: OpenSide, target: OpenSide) => Promise<T>): Promise<T> {
  const [fromAddress, toAddress] = [addressIn(from, '--from', config), addressIn(to, '--to', config)]
  if (isSame(fromAddress, toAddress)) throw new Refusal('--from and --to name the same home, or one within the other. Name two that have nothing to do with each other.')
  const opening = { config, ...(open !== undefined && { open }) }
  return closing(await openHomeAt(fromAddress, { ...opening, setting: '--from' }), (source) =>
    closing(openHomeAt(toAddress, { ...opening, setting: '--to' }), async (target) => {
      const known = { volumeId: await bringIdentity(config, source, target, volumeId), knowsFiles: true }
      return atBoth({ config, source, target, known, claimant, progress }, use)
    }))
}

type Opened = Awaited<ReturnType<typeof openHomeAt>>

async function closing<T> (opening: Opened | Promise<Opened>, use: (side: Side) => Promise<T>): Promise<T> {
  const home = await opening
  try {
    return await use({ fs: home.fs, root: home.root, name: home.objects?.name ?? home.root })
  } finally {
    await home.close()
  }
}

function addressIn ({ url, endpoint, isPathStyle }: Named, option: string, { uploadsDir }: SidesConfig): HomeAddress {
  const address = homeAddress(url, endpoint, isPathStyle, uploadsDir)
  if (address === undefined) throw new Refusal(`${option} must be file:/path/to/volume, s3://bucket/prefix or azblob://container/prefix; or empty, for UPLOADS_DIR.`)
  return address
}

/** Also one below the other: the one would find files of the other in it. */
function isSame (one: HomeAddress, other: HomeAddress): boolean {
  if (one.kind === 'volume') return other.kind === 'volume' && areNested(realPath(one.folder) + sep, realPath(other.folder) + sep)
  return other.kind === one.kind && other.container === one.container && other.endpoint === one.endpoint && areNested(one.prefix, other.prefix)
}

const areNested = (one: string, other: string): boolean => one.startsWith(other) || other.startsWith(one)

/** The new home is the same volume in another place. Returns which. */
async function bringIdentity (config: SidesConfig, source: Side, target: Side, volumeId: string | undefined): Promise<string> {
  const own = await identityOf(source)
  if (own === undefined) throw new Refusal(`There is no uploads volume at ${source.name}. Name with --from where the uploads are.`)
  if (own !== volumeId) throw new Refusal(`${source.name} is another volume than that of the database: it is ${own}, and the database belongs to ${volumeId ?? 'none yet'}. Run this with the settings of the gateway.`)
  const there = await identityOf(target)
  if (there !== undefined && there !== own) throw new Refusal(`${target.name} is another volume: it is ${there}, and ${source.name} is ${own}. Name an empty place with --to; nothing is ever mixed.`)
  await refuseForeignRoot(target.fs, target.root)
  await prepareVolume({ fs: target.fs, root: target.root, requireMount: config.requireMount, role, warn: () => {} })
  if (there === undefined) {
    await refuseOccupied(target)
    await placeIdentity(source, target)
  }
  return own
}

async function identityOf ({ fs, root, name }: Side): Promise<string | undefined> {
  try {
    return (await identityAt(fs, root))?.volumeId
  } catch (error) {
    throw new Refusal(`The identity of the volume at ${name} cannot be read: ${reasonOf(error)}.`, { cause: error })
  }
}

/** What the gateway makes again, what an operator brings along, and what systems put there. */
const mayBeThere: ReadonlySet<string> = new Set([identityFile, stagingFolder, cacheFolder, databaseFolder, 'lost+found'])

/** Nobody knows whose it is, and among it nobody would find the uploads. */
async function refuseOccupied ({ fs, root, name }: Side): Promise<void> {
  const [first] = (await fs.readdir(root)).filter((entry) => !mayBeThere.has(entry))
  if (first !== undefined) throw new Refusal(`${name} is not empty: it has ${first}, but no ${identityFile}, so it is no home of this volume. Name an empty place with --to, or move away what is there first.`)
}

async function placeIdentity (source: Side, { fs, root }: Side): Promise<void> {
  const text = await source.fs.readFile(join(source.root, identityFile), 'utf8')
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  // One that says nothing is of a copy that was killed while it wrote it; any other is of a gateway that came just now, and stays.
  if (await readOrdinaryText(fs, join(root, identityFile)).catch(ifAbsent(undefined)) === '') await fs.unlink(join(root, identityFile))
  await durable.writeNew(join(root, identityFile), text)
  await durable.syncFolder(root)
}

type Both = { readonly config: SidesConfig, readonly source: Side, readonly target: Side, readonly known: KnownVolume, readonly claimant: Claimant, readonly progress: Progress }

/** Seen in both under the same name, so that neither takes what is in flight of it for that of a process that died. */
async function atBoth<T> ({ config, source, target, known, claimant, progress }: Both, use: (source: OpenSide, target: OpenSide) => Promise<T>): Promise<T> {
  const instance = randomUUID()
  const open = ({ fs, root }: Side) => openStorage({ fs, root, reserveBytes: config.diskReserveBytes, known, claimant, role, instance, onWait: ([other]) => progress.say(`Watching for up to 90 seconds whether ${other?.work} of another host or container still runs on this volume.`) })
  const from = await open(source)
  try {
    const to = await open(target)
    try {
      // Before the first upload is there: whose the old home is, the new one is.
      await to.claim.follow(await claimAt(source.fs, source.root))
      return await use({ ...source, storage: from }, { ...target, storage: to })
    } finally {
      await to.staging.close()
    }
  } finally {
    await from.staging.close()
  }
}
