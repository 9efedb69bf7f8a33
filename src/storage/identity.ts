// Whether this is the right volume: volume and database carry the same random identity, and neither starts with another.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/schema'
import { ConfigError } from '../config.ts'
import { claimAt } from './claim.ts'
import { errnoOf, ifAbsent } from './failures.ts'
import { homeName, homeRemedy, type FileSystem } from './fs.ts'
import { NotOrdinary, readOrdinaryText } from './ordinary-file.ts'
import type { Durable } from './volume/durable.ts'
import { identityFile, kindFolder, kinds, resumableFolder } from './volume/layout.ts'

const layout = 1

const IdentitySchema = Type.Object({ volumeId: Type.String(), layout: Type.Integer(), createdAt: Type.String() })

type Identity = Static<typeof IdentitySchema>

/** What the database says: its volume's identity, if it ever had one, and whether it knows any files. */
export type KnownVolume = { readonly volumeId: string | undefined, readonly knowsFiles: boolean }

type Options = { fs: FileSystem, durable: Durable, root: string, known: KnownVolume, pauseMs?: number }

/** How often an empty file is read again: another process that starts now creates it before it writes it. */
const readings = 20

/**
 * The identity of the volume at `root`, for the database to keep; a first start makes one.
 * @throws ConfigError when the volume is not the one that belongs to the database.
 */
export async function identify (options: Options): Promise<string> {
  const { fs, durable, root, known } = options
  const found = await readIdentity(options)
  if (found === undefined) {
    if (known.knowsFiles) throw new ConfigError(`${homeName(fs, root)} is not the uploads volume: it has no ${identityFile}, but the database knows files. ${homeRemedy(fs, `the volume ${known.volumeId ?? 'that belongs to this database'}`)}; if it is lost, "upload-gateway restore" brings back a backup of it.`)
    if (await holdsFiles(fs, root)) throw withFiles(fs, root, `it has no ${identityFile}`, 'Restore that file from a backup of this volume, or bring back a backup of all with "upload-gateway restore".')
    await create(fs, durable, root, known.volumeId ?? randomUUID())
    // What is there now counts: another process that starts at the same time may have been first.
    return identify(options)
  }
  if (found.layout > layout) throw new ConfigError(`The volume ${root} has layout ${found.layout}, made by a newer version of the gateway; this one knows ${layout}. Start that version, or a later one.`)
  if (known.volumeId !== undefined && known.volumeId !== found.volumeId) {
    throw new ConfigError(`${homeName(fs, root)} is another volume: it is ${found.volumeId}, the database belongs to ${known.volumeId}. ${fs.objects === undefined ? 'Mount that one' : homeRemedy(fs, 'that one')}, or set DATABASE_URL to the database of this one.`)
  }
  if (known.volumeId === undefined) await refuseUploads(fs, root)
  return found.volumeId
}

/** What no new database may be started on. @throws ConfigError */
export async function refuseUploads (fs: FileSystem, root: string): Promise<void> {
  if (!await holdsFiles(fs, root)) return
  const claim = await claimAt(fs, root)
  throw withFiles(fs, root, 'the database is new', `Set DATABASE_URL to where the database that belongs to it is${claim === undefined ? '' : `: since ${claim.since} that is ${claim.name}`}; or make that anew from the volume with "upload-gateway rebuild"; or bring back a backup of both with "upload-gateway restore".`)
}

/** Files without a database would all look like orphans to the sweep: better not to start. */
const withFiles = (fs: FileSystem, root: string, reason: string, remedy: string): ConfigError =>
  new ConfigError(`${homeName(fs, root)} holds uploads, but ${reason}: starting would make orphans of them. ${remedy}`)

/** Also bytes of uploads that are not finished. @throws ConfigError when that cannot be told */
async function holdsFiles (fs: FileSystem, root: string): Promise<boolean> {
  const places = [...kinds.map((kind) => kindFolder(root, kind)), join(root, resumableFolder)]
  const folders = await Promise.all(places.map((place) => fs.readdir(place).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw new ConfigError(`The volume ${root} cannot be read, so it is not known whether it holds uploads. Mount it so that the gateway may read it.`, { cause: error })
  })))
  return folders.flat().length > 0
}

async function readIdentity ({ fs, root, pauseMs = 50 }: Options): Promise<Identity | undefined> {
  const path = join(root, identityFile)
  for (let reading = 1; ; reading += 1) {
    try {
      const text = await readOrdinaryText(fs, path)
      if (text !== '') return parseIdentity(text)
      if (reading === readings) {
        // Whoever created it died before it could write, and so before anything was kept here.
        await fs.unlink(path)
        return undefined
      }
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      if (error instanceof NotOrdinary) throw error
      throw new ConfigError(`${path} cannot be read, or is damaged. Restore it from a backup of this volume.`, { cause: error })
    }
    await setTimeout(pauseMs)
  }
}

/**
 * The identity that is at `root`, only read; undefined when there is none, also when whoever began one died before it could write it.
 * @throws when it cannot be read or is damaged
 */
export async function identityAt (fs: FileSystem, root: string): Promise<Identity | undefined> {
  const text = await readOrdinaryText(fs, join(root, identityFile)).catch(ifAbsent(undefined))
  return text === undefined || text === '' ? undefined : parseIdentity(text)
}

function parseIdentity (text: string): Identity {
  const value: unknown = JSON.parse(text)
  if (!Check(IdentitySchema, value)) throw new TypeError('it does not say which volume this is')
  return value
}

async function create (fs: FileSystem, durable: Durable, root: string, volumeId: string): Promise<void> {
  const text = JSON.stringify({ volumeId, layout, createdAt: new Date().toISOString() } satisfies Identity, null, 1) + '\n'
  try {
    // What others may have put first is not taken back, also when it is not known who did.
    await (fs.objects?.putBytes(identityFile, Buffer.from(text), { ifAbsent: true }) ?? durable.writeNew(join(root, identityFile), text))
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  }
  await durable.syncFolder(root)
}
