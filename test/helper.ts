// A gateway for a test, on a temporary volume that goes with it; and the pieces that tests send.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import sharp from 'sharp'
import type { Test } from 'tap'
import { buildApp, type AppOptions } from '../src/app.ts'
import type { Scope, UserId } from '../src/callers/caller.ts'
import { createMint } from '../src/callers/mint.ts'
import { readConfig } from '../src/config.ts'
import { erasuresFile } from '../src/storage/volume/layout.ts'

export const secret = 'a secret of the tests that is long enough'

export type Gateway = {
  app: FastifyInstance
  folder: string
  /** A bearer header for a user, or a service. */
  as: (id: string, ...scopes: Scope[]) => Promise<{ authorization: string }>
  /** Every file below the volume but the database, the ledger of erasures and the cache, as paths from its root. */
  files: () => Promise<string[]>
}

export async function temporaryFolder (t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'upload-gateway-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Pass `UPLOADS_DIR` to start on the volume of an earlier gateway. */
export async function build (t: Test, settings: Record<string, string> = {}, options: AppOptions = {}): Promise<Gateway> {
  const folder = settings['UPLOADS_DIR'] ?? await temporaryFolder(t)
  const config = readConfig({ LOG_LEVEL: 'silent', JWT_SECRET: secret, DISK_RESERVE: '0', ...settings, UPLOADS_DIR: folder })
  const app = await buildApp(config, options)
  t.teardown(() => app.close())
  const mint = createMint(secret, config)
  return {
    app,
    folder,
    as: async (id, ...scopes) => ({ authorization: `Bearer ${await mint(id as UserId, { seconds: 3600, scopes })}` }),
    files: () => filesBelow(folder),
  }
}

async function filesBelow (folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => !/^(database|cache)\//.test(path) && path !== erasuresFile)
    .sort()
}

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
