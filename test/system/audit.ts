// What is on a volume, compared with what its database says: by its own reading of both, not through the gateway.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import type { Client } from 'pg'
import { asBlobId } from '../../src/storage/ids.ts'
import { decodeSidecar, type Sidecar } from '../../src/storage/sidecar.ts'
import type { BlobAddress } from '../../src/storage/store.ts'
import { blobPath, sidecarPath } from '../../src/storage/volume/layout.ts'

export type Row = BlobAddress & { state: Sidecar['state'] | 'purging' | 'swept', sha256: string, size: number, revision: number, sidecarDueAt: unknown }

export type Audit = {
  readonly rows: readonly Row[]
  /** Files that no row owns. */
  readonly orphans: readonly string[]
  /** Why a row is not backed by a whole blob and a sidecar that says the same (I1). */
  readonly broken: readonly string[]
}

const databaseIn = (folder: string) => join(folder, 'database', 'gateway.sqlite')

export const audit = (folder: string, { database = databaseIn(folder), isHashed = true } = {}): Audit => compare(folder, rowsIn(database), { isHashed })

/** The same with rows of whatever database. */
export function compare (folder: string, all: readonly Row[], { isHashed = true } = {}): Audit {
  const rows = all.filter(({ state }) => state !== 'swept')
  const owned = new Set(rows.map(({ id }) => id as string))
  return {
    rows,
    orphans: publishedFiles(folder).filter((path) => !owned.has(basename(path).slice(0, 36))),
    broken: rows.filter(({ state }) => state !== 'purging').flatMap((row) => faultsOf(folder, row, isHashed)),
  }
}

const everyRow = 'SELECT "id", "kind", "extension", "state", "sha256", "size", "revision", "sidecarDueAt" FROM "Blob"'

/** Of a PostgreSQL database. */
export const rowsOn = async (client: Pick<Client, 'query'>): Promise<Row[]> => (await client.query<Row>(everyRow)).rows

function rowsIn (database: string): Row[] {
  const connection = new BetterSqlite3(database, { readonly: true })
  try {
    return connection.prepare(everyRow).all() as Row[]
  } finally {
    connection.close()
  }
}

function faultsOf (root: string, row: Row, isHashed: boolean): string[] {
  const path = blobPath(root, row)
  if (!existsSync(path)) return [`${path} is missing`]
  if (statSync(path).size !== Number(row.size)) return [`${path} is not ${row.size} bytes long`]
  if (isHashed && hashOf(path) !== row.sha256) return [`${path} has other bytes than its row says`]
  const sidecar = sidecarOf(root, row)
  if (sidecar === undefined) return [`${path} has no sidecar, or a damaged one`]
  if (sidecar.sha256 !== row.sha256) return [`the sidecar of ${path} has another sha-256 than the row`]
  const isDue = row.sidecarDueAt !== null
  return !isDue && (sidecar.state !== row.state || sidecar.revision !== row.revision) ? [`the sidecar of ${path} says ${sidecar.state} ${sidecar.revision}, the row ${row.state} ${row.revision}`] : []
}

const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

function sidecarOf (root: string, row: Row): Sidecar | undefined {
  const path = sidecarPath(root, row)
  return existsSync(path) ? decodeSidecar(readFileSync(path, 'utf8')) : undefined
}

/** Every file under a final name. */
export function publishedFiles (folder: string): string[] {
  return ['avatars', 'attachments'].flatMap((kind) => filesBelow(join(folder, kind)))
}

/** Published files, by what is wrong with them: I2 without asking the database. `known` has the sha-256 of all that was sent. */
export function partialFiles (folder: string, known: ReadonlySet<string>): string[] {
  return publishedFiles(folder).filter((path) => path.endsWith('.sidecar.json') ? decodeSidecar(readFileSync(path, 'utf8')) === undefined : !known.has(hashOf(path)))
}

export type StagingFolder = { readonly name: string, readonly files: readonly string[], readonly pid: number | undefined }

/** The staging folders there are; files without the heartbeat. */
export function staging (folder: string): StagingFolder[] {
  const parent = join(folder, 'staging')
  return readdirSync(parent).map((name) => {
    const files = existsSync(join(parent, name)) ? readdirSync(join(parent, name)) : []
    return { name, files: files.filter((file) => file !== 'heartbeat.json'), pid: pidIn(join(parent, name, 'heartbeat.json')) }
  })
}

function pidIn (heartbeat: string): number | undefined {
  try {
    return JSON.parse(readFileSync(heartbeat, 'utf8')).pid
  } catch {
    return undefined
  }
}

function filesBelow (folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && asBlobId(entry.name.slice(0, 36)) !== undefined)
    .map((entry) => join(entry.parentPath, entry.name))
}
