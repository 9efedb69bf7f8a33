// supabase/storage from a checkout in which its own commands have run, as its .env.sample sets it for one tenant, with its backend that keeps files.
import { createSecretKey, randomBytes } from 'node:crypto'
import { access, mkdir, readFile, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { SignJWT } from 'jose'
import { toolPath } from '../../test/system/machine.ts'
import { freePort } from '../../test/system/postgres.ts'
import { serve, type Server } from './servers.ts'

const bucket = 'pictures'

export type Supabase = {
  readonly server: Server
  /** Of its service role, which no policy holds up. */
  readonly headers: Readonly<Record<string, string>>
  /** Where an object of this name is sent to. */
  readonly sendTo: (name: string) => string
  /** Where anybody has it from. */
  readonly publicPath: (name: string) => string
}

const entry = 'dist/start/server.js'

/** @throws when the folder is no checkout of it, or one that is not built */
export async function versionOf (checkout: string): Promise<string> {
  await access(join(checkout, entry))
  return (JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as { version: string }).version
}

/** `folder`: not there yet. `database`: an empty one of a PostgreSQL where it may make its roles. */
export async function serveSupabase (checkout: string, folder: string, database: string): Promise<Supabase> {
  const [port, secret] = [await freePort(), randomBytes(32).toString('hex')]
  await mkdir(folder)
  // It looks for them where it is started, and for a developer's .env too, which is not for measurements.
  await symlink(resolve(checkout, 'migrations'), join(folder, 'migrations'))
  const server = await serve(process.execPath, [resolve(checkout, entry)], {
    port,
    env: {
      PATH: toolPath, NODE_ENV: 'production', SERVER_HOST: '127.0.0.1', SERVER_PORT: String(port), AUTH_JWT_SECRET: secret, DATABASE_URL: database, DB_INSTALL_ROLES: 'true',
      STORAGE_BACKEND: 'file', STORAGE_FILE_BACKEND_PATH: join(folder, 'files'), STORAGE_S3_BUCKET: 'files', UPLOAD_FILE_SIZE_LIMIT: '524288000',
    },
    log: `${folder}.log`,
    cwd: folder,
  })
  const headers = { Authorization: `Bearer ${await new SignJWT({ role: 'service_role' }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1d').sign(createSecretKey(secret, 'utf8'))}` }
  const made = await fetch(`${server.url}/bucket`, { method: 'POST', headers: { ...headers, 'Content-Type': 'application/json' }, body: JSON.stringify({ id: bucket, name: bucket, public: true }) })
  if (!made.ok) throw new Error(`The bucket was answered with ${made.status}: ${await made.text()}`)
  return { server, headers, sendTo: (name) => `/object/${bucket}/${name}`, publicPath: (name) => `/object/public/${bucket}/${name}` }
}
