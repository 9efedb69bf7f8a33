// A PostgreSQL of its own for a test: on a temporary folder and a free port, ended by its pid with the test; it can be killed, and comes back on the same data and port.
import { spawn, type ChildProcess } from 'node:child_process'
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

export type Postgres = {
  readonly url: string
  /** Of its first process. */
  readonly pid: number
  /** A connection for the test itself; another one after a restart. */
  readonly client: pg.Client
  /** Whether it runs, as far as the test has ended or started it. */
  readonly isRunning: boolean
  /** A database of its own, a copy of `template` when given; its URL. */
  create (name: string, template?: string): Promise<string>
  /** As in a crash: kill -9 of the first process, which takes the others with it. */
  kill (): Promise<void>
  /** After `kill`: takes connections when it returns. */
  start (): Promise<void>
}

type Options = {
  /** Whether a commit survives a power cut, as in production. Off is faster; a kill loses nothing either way. */
  readonly isSynced?: boolean
}

export async function postgres (t: Pick<Test, 'teardown'>, { isSynced = false }: Options = {}): Promise<Postgres> {
  await needs('pg_ctlcluster', 'setpriv')
  const [version = ''] = (await readdir(versions)).sort((one, other) => Number(other) - Number(one))
  const bin = join(versions, version, 'bin')
  const folder = await temporaryFolder(t)
  const data = join(folder, 'data')
  const { uid, gid } = await ids()
  await chown(folder, uid, gid)
  await chmod(folder, 0o700)
  await run('setpriv', ...asPostgres, join(bin, 'initdb'), '-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '--no-instructions', '--locale=C', '-E', 'UTF8')
  const port = await freePort()
  const durability = isSynced ? [] : ['fsync=off', 'full_page_writes=off']
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200', 'shared_buffers=64MB', 'logging_collector=off', ...durability]
  const urlOf = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`

  const launch = () => spawn('setpriv', [...asPostgres, join(bin, 'postgres'), '-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])], { stdio: 'ignore' })
  let server = launch()
  const first = await connected(urlOf('postgres'), server)
  if (first === undefined) throw new Error('PostgreSQL does not start')
  let client = first
  let isRunning = true

  async function end (signal: NodeJS.Signals): Promise<void> {
    if (!isRunning) return
    isRunning = false
    const ended = once(server, 'exit')
    server.kill(signal)
    await ended
  }

  t.teardown(async () => {
    if (isRunning) await client.end()
    // Fast: connections are ended, and nothing is waited for.
    await end('SIGINT')
  })
  return {
    url: urlOf('postgres'),
    get pid () { return server.pid ?? 0 },
    get client () { return client },
    get isRunning () { return isRunning },

    async create (name, template = 'template1') {
      await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)} TEMPLATE ${pg.escapeIdentifier(template)}`)
      return urlOf(name)
    },

    async kill () {
      // What it has open fails, which is no failure of the test.
      client.on('error', () => {})
      await end('SIGKILL')
    },

    async start () {
      // It does not start for as long as a process of the one before is left.
      for (let attempt = 1; !isRunning; attempt += 1) {
        if (attempt > 50) throw new Error(`PostgreSQL does not start again on ${data}`)
        server = launch()
        const next = await connected(urlOf('postgres'), server)
        if (next !== undefined) [client, isRunning] = [next, true]
      }
    },
  }
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

/** Undefined when the server ended instead. */
async function connected (url: string, server: ChildProcess): Promise<pg.Client | undefined> {
  let client: pg.Client | undefined
  await until('PostgreSQL takes connections', async () => {
    if (server.exitCode !== null) return true
    const attempt = new pg.Client({ connectionString: url })
    const isConnected = await attempt.connect().then(() => true, () => false)
    if (isConnected) client = attempt
    return isConnected
  }, 60_000)
  return client
}
