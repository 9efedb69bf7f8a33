// Servers as processes of their own on free ports: the gateway, and what it is compared with. Each ends by its own pid.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { envFor } from '../../test/system/command.ts'
import type { Settings } from '../../test/system/gateway.ts'
import { toolPath } from '../../test/system/machine.ts'
import { freePort, postgres, type Postgres } from '../../test/system/postgres.ts'
import { cores, on } from './cores.ts'

export type Server = {
  readonly url: string
  /** Milliseconds from its start until it answered. */
  readonly startMs: number
  /** Of the first process; those it starts are in its family. */
  readonly pid: number
  stop (): Promise<void>
}

type Options = {
  readonly port: number
  readonly env: NodeJS.ProcessEnv
  /** A file for its output: a line for each request, as in production. */
  readonly log: string
  /** What is asked until it is answered. */
  readonly ready?: string
  readonly cwd?: string
} & Placed

/** `hasAll`: all cores, not only those of servers. */
type Placed = { readonly hasAll?: boolean | undefined }

/** Options of Node for each gateway, besides those of `npm start`. */
export const gatewayOptions: string[] = []

const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { scripts: { start: string } }

/** V8's: the one of Node is there for who has an older Node. */
const startOptions = scripts.start.match(/--(?!require)\S+/g) ?? []

const gatewayEntry = fileURLToPath(new URL('../../src/server.ts', import.meta.url))

/** @throws with the end of its log when it does not come to answer */
export async function serve (command: string, args: readonly string[], { port, env, log, ready = '/', cwd = tmpdir(), hasAll = false }: Options): Promise<Server> {
  const output = await open(log, 'a')
  const startedAt = performance.now()
  // taskset becomes what it starts: the pid is that of the server.
  const child = spawn(...on(hasAll ? cores.all : cores.servers, command, args), { cwd, env, stdio: ['ignore', output.fd, output.fd] })
  const ended = once(child, 'close').then(() => output.close())
  const url = `http://127.0.0.1:${port}`
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
  }
  try {
    for (const deadline = startedAt + 30_000; !await fetch(url + ready).then(({ body }) => body?.cancel()).then(() => true, () => false);) {
      if (performance.now() > deadline || child.exitCode !== null) throw new Error(`${command} ${args.join(' ')} does not answer: ${(await readFile(log, 'utf8')).slice(-2000)}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    return { url, pid: child.pid ?? 0, startMs: performance.now() - startedAt, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** `/health/live` answers once it listens, which is when it is ready. */
export async function serveGateway (volume: string, settings: Settings = {}, placed: Placed = {}): Promise<Server> {
  const port = await freePort()
  await mkdir(volume, { recursive: true })
  return serve(process.execPath, [...startOptions, ...gatewayOptions, gatewayEntry], { port, env: envFor(volume, { QUOTA_BYTES: '0', QUOTA_FILES: '0', ...settings, PORT: String(port) }), log: `${volume}.log`, ready: '/health/live', ...placed })
}

/** One of ../peers, which hears its port in PORT, and where to keep things in FOLDER. */
export async function servePeer (name: string, folder: string, settings: Settings = {}): Promise<Server> {
  const port = await freePort()
  await mkdir(folder, { recursive: true })
  const entry = fileURLToPath(new URL(`../peers/${name}.mjs`, import.meta.url))
  return serve(process.execPath, [entry], { port, env: { PATH: toolPath, PORT: String(port), FOLDER: folder, NODE_ENV: 'production', ...settings }, log: `${folder}.log` })
}

/** Serves `folder`, with what Debian's own configuration sets, and takes files under /put/. `home`: a folder that is not there yet. */
export async function serveNginx (folder: string, home: string, { workers = 1, ...placed }: { workers?: number } & Placed = {}): Promise<Server> {
  const port = await freePort()
  await mkdir(join(home, 'put'), { recursive: true })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${home}/${name};`).join(' ')
  await writeFile(join(home, 'nginx.conf'), `
    daemon off; pid ${home}/pid; error_log stderr crit; user root; worker_processes ${workers}; events { worker_connections 768; }
    http { sendfile on; tcp_nopush on; types { image/jpeg jpg jpeg; image/webp webp; } access_log ${home}/access; keepalive_requests 1000000000; client_max_body_size 0; ${temporary}
      server { listen 127.0.0.1:${port}; root ${folder}; location /put/ { alias ${home}/put/; dav_methods PUT; } } }`)
  return serve('nginx', ['-p', home, '-c', join(home, 'nginx.conf'), '-e', 'stderr'], { port, env: { PATH: toolPath }, log: join(home, 'log'), ...placed })
}

/** One whose commits survive a power cut. */
export async function servePostgres (teardown: (end: () => unknown) => void): Promise<Postgres> {
  const server = await postgres({ teardown }, { isSynced: true })
  // Those that it starts for connections to come are there too, then.
  await promisify(execFile)('taskset', ['--all-tasks', '--cpu-list', '--pid', cores.servers.join(','), String(server.pid)])
  return server
}
