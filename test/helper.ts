// A gateway for a test, on a temporary volume that goes with it; and the pieces that tests send.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import sharp from 'sharp'
import type { Test } from 'tap'
import { buildApp, type AppOptions } from '../src/app.ts'
import type { Scope, UserId } from '../src/callers/caller.ts'
import { createMint } from '../src/callers/mint.ts'
import { readConfig, type Config } from '../src/config.ts'
import type { FileSystem } from '../src/storage/fs.ts'
import { objectHome } from '../src/storage/home.ts'
import { openObjects } from '../src/storage/objects/open.ts'
import { erasuresFile } from '../src/storage/volume/layout.ts'
import { databaseUrlFor } from './fixtures/database-server.ts'
import { faultsInStore } from './fixtures/faults.ts'
import { filesBelow } from './fixtures/files.ts'
import { isOnObjects, pathsIn, storageFor } from './fixtures/object-server.ts'

export const secret = 'a secret of the tests that is long enough'

export type Gateway = {
  app: FastifyInstance
  folder: string
  /** A bearer header for a user, or a service. */
  as: (id: string, ...scopes: Scope[]) => Promise<{ authorization: string }>
  /** Every file below the volume but the database, the ledger of erasures and the cache, as paths from its root; in an object store, those of its objects. */
  files: () => Promise<string[]>
  /** The text of one of these. */
  read: (path: string) => Promise<string>
}

export async function temporaryFolder (t: Pick<Test, 'teardown'>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'upload-gateway-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Pass `UPLOADS_DIR` to start on the volume of an earlier gateway, with its database. */
export async function build (t: Test, settings: Record<string, string> = {}, options: AppOptions = {}): Promise<Gateway> {
  const folder = settings['UPLOADS_DIR'] ?? await temporaryFolder(t)
  const config = readConfig({ LOG_LEVEL: 'silent', JWT_SECRET: secret, DISK_RESERVE: '0', DATABASE_URL: settings['DATABASE_URL'] ?? await databaseUrlFor(t, folder), DATABASE_CONNECTIONS: '4', ...(options.fs?.objects === undefined && storageFor(folder)), ...settings, UPLOADS_DIR: folder })
  const app = await buildApp(config, { ...options, ...await faultyStore(t, config, options.fs) })
  t.teardown(() => app.close())
  const mint = createMint(secret, config)
  return {
    app,
    folder,
    as: async (id, ...scopes) => ({ authorization: `Bearer ${await mint(id as UserId, { seconds: 3600, scopes })}` }),
    files: async () => [...await filesBelow(folder), ...(isOnObjects && config.objectStore !== undefined ? await pathsIn(config.objectStore) : [])].filter(isUpload).sort(),
    read: (path) => app.home.fs.readFile(join(folder, path), 'utf8'),
  }
}

/** Faults of the file system are those of the store where that holds the files. */
async function faultyStore (t: Test, config: Config, fs: FileSystem | undefined): Promise<Pick<AppOptions, 'fs'>> {
  const faulty = faultsInStore(fs)
  if (fs === undefined || faulty === undefined || config.objectStore === undefined) return {}
  const objects = await openObjects(config.objectStore)
  t.teardown(() => objects.close())
  return { fs: await objectHome({ config, objects: faulty(objects, config.uploadsDir), fs }) }
}

const isUpload = (path: string): boolean => !/^(database|cache)\//.test(path) && !path.startsWith(erasuresFile)

/** A picture of one colour; another seed, other bytes. */
export function picture (format: 'jpeg' | 'png' | 'webp' | 'gif' | 'avif' = 'jpeg', { width = 40, height = 30, seed = 0 } = {}): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: { r: seed % 256, g: 90, b: 160 } } }).toFormat(format).toBuffer()
}

/** A multipart body of these fields and files, in this order, with its Content-Type. */
export async function multipart (parts: Array<[name: string, value: string | { bytes: Buffer | string, filename: string, type?: string }]>): Promise<{ payload: Buffer, headers: { 'content-type': string } }> {
  const form = new FormData()
  for (const [name, value] of parts) {
    if (typeof value === 'string') form.append(name, value)
    else form.append(name, new Blob([typeof value.bytes === 'string' ? value.bytes : new Uint8Array(value.bytes)], { type: value.type ?? 'application/octet-stream' }), value.filename)
  }
  const encoded = new Response(form)
  return { payload: Buffer.from(await encoded.arrayBuffer()), headers: { 'content-type': encoded.headers.get('content-type') ?? '' } }
}
