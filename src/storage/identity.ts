// Whether this is the right volume: volume and database carry the same random identity, and neither starts with another.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/value'
import { ConfigError } from '../config.ts'
import { errnoOf } from './failures.ts'
import type { FileSystem } from './fs.ts'
import type { Durable } from './volume/durable.ts'
import { identityFile, kindFolder, kinds } from './volume/layout.ts'

const layout = 1

const IdentitySchema = Type.Object({ volumeId: Type.String(), layout: Type.Integer(), createdAt: Type.String() })

type Identity = Static<typeof IdentitySchema>

/** What the database says: its volume's identity, if it ever had one, and whether it knows any files. */
export type KnownVolume = { readonly volumeId: string | undefined, readonly knowsFiles: boolean }

type Options = { fs: FileSystem, durable: Durable, root: string, known: KnownVolume }

/**
 * The identity of the volume at `root`, for the database to keep; a first start makes one.
 * @throws ConfigError when the volume is not the one that belongs to the database.
 */
export async function identify ({ fs, durable, root, known }: Options): Promise<string> {
  const found = await readIdentity(fs, root)
  if (found === undefined) {
    if (known.knowsFiles) throw new ConfigError(`UPLOADS_DIR ${root} is not the uploads volume: it has no ${identityFile}, but the database knows files. Mount the volume ${known.volumeId ?? 'that belongs to this database'} there.`)
    await refuseFiles(fs, root, `it has no ${identityFile}`)
    return create(durable, root, known.volumeId ?? randomUUID())
  }
  if (found.layout > layout) throw new ConfigError(`The volume ${root} has layout ${found.layout}, made by a newer version of the gateway; this one knows ${layout}. Start that version, or a later one.`)
  if (known.volumeId !== undefined && known.volumeId !== found.volumeId) {
    throw new ConfigError(`UPLOADS_DIR ${root} is another volume: it is ${found.volumeId}, the database belongs to ${known.volumeId}. Mount that one, or set DATABASE_URL to the database of this one.`)
  }
  if (known.volumeId === undefined) await refuseFiles(fs, root, 'the database is new')
  return found.volumeId
}

/** Files without a database would all look like orphans to the sweep: better not to start. */
async function refuseFiles (fs: FileSystem, root: string, reason: string): Promise<void> {
  const folders = await Promise.all(kinds.map((kind) => fs.readdir(kindFolder(root, kind)).catch(() => [])))
  if (folders.flat().length === 0) return
  throw new ConfigError(`The volume ${root} holds uploads, but ${reason}: starting would make orphans of them. Restore the database that belongs to it, or set DATABASE_URL to where it is.`)
}

async function readIdentity (fs: FileSystem, root: string): Promise<Identity | undefined> {
  const path = join(root, identityFile)
  try {
    const value: unknown = JSON.parse(await fs.readFile(path, 'utf8'))
    if (Check(IdentitySchema, value)) return value
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw new ConfigError(`${path} cannot be read. Restore it from a backup of this volume.`, { cause: error })
  }
  throw new ConfigError(`${path} is damaged. Restore it from a backup of this volume.`)
}

async function create (durable: Durable, root: string, volumeId: string): Promise<string> {
  const identity: Identity = { volumeId, layout, createdAt: new Date().toISOString() }
  await durable.writeNew(join(root, identityFile), JSON.stringify(identity, null, 1) + '\n')
  await durable.syncFolder(root)
  return volumeId
}
