// A PostgreSQL of its own for a test: on a temporary folder and a free port, ended by its pid with the test.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, readdir } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import type { Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { needs, run, until } from './machine.ts'

const versions = '/usr/lib/postgresql'
const asPostgres = ['--reuid=postgres', '--regid=postgres', '--clear-groups', '--']

export type Postgres = { readonly url: string, readonly client: pg.Client }

export async function postgres (t: Test): Promise<Postgres> {
  await needs('pg_ctlcluster', 'setpriv')
  const [version = ''] = (await readdir(versions)).sort().reverse()
  const bin = join(versions, version, 'bin')
  const folder = await temporaryFolder(t)
  const data = join(folder, 'data')
  const { uid, gid } = await ids()
  await chown(folder, uid, gid)
  await chmod(folder, 0o700)
  await run('setpriv', ...asPostgres, join(bin, 'initdb'), '-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '--locale=C', '-E', 'UTF8')
  const port = await freePort()
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off', 'max_connections=20', 'shared_buffers=64MB']
  const server = spawn('setpriv', [...asPostgres, join(bin, 'postgres'), '-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])], { stdio: 'ignore' })
  const ended = once(server, 'exit')
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const client = await connected(url)
  t.teardown(async () => {
    await client.end()
    // Fast: connections are ended, and nothing is waited for.
    server.kill('SIGINT')
    await ended
  })
  return { url, client }
}

async function ids (): Promise<{ uid: number, gid: number }> {
  const numbers = await run('setpriv', ...asPostgres, 'sh', '-c', 'id -u; id -g')
  const [uid = 0, gid = 0] = numbers.trim().split('\n').map(Number)
  return { uid, gid }
}

/** A port on which nothing listens now. */
export async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function connected (url: string): Promise<pg.Client> {
  let client: pg.Client | undefined
  await until('PostgreSQL takes connections', async () => {
    const attempt = new pg.Client({ connectionString: url })
    const isConnected = await attempt.connect().then(() => true, () => false)
    if (isConnected) client = attempt
    return isConnected
  })
  if (client === undefined) throw new Error('PostgreSQL is not there')
  return client
}
