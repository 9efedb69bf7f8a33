// A gateway as a process of its own on a real folder: started, watched, stopped or killed, and only ever by its own pid.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { execPath } from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import type { Scope, UserId } from '../../src/callers/caller.ts'
import { createMint } from '../../src/callers/mint.ts'
import { secret } from '../helper.ts'
import { compiled, pause } from './machine.ts'
import { childrenOf, doingOf, familyOf } from './process.ts'

const server = fileURLToPath(new URL('../../src/server.ts', import.meta.url))
const startMs = 30_000
const mint = createMint(secret, { jwtIssuer: '', jwtAudience: '', jwtUserClaim: 'sub' })

export type Settings = Readonly<Record<string, string>>

export type Exit = { readonly code: number | null, readonly signal: NodeJS.Signals | null }

export type Gateway = {
  readonly url: string
  readonly pid: number
  readonly folder: string
  /** What it logged so far, a JSON object a line. */
  readonly lines: readonly string[]
  readonly exit: Promise<Exit>
  isRunning (): boolean
  stop (): Promise<Exit>
  kill (): Promise<Exit>
}

export async function bearer (id: string, ...scopes: Scope[]): Promise<{ authorization: string }> {
  return { authorization: `Bearer ${await mint(id as UserId, { seconds: 3600, scopes })}` }
}

/** A gateway that listens; killed with the test if it still runs then. */
export async function start (t: Pick<Test, 'teardown'>, folder: string, settings: Settings = {}): Promise<Gateway> {
  const { child, lines, errors, exit, listening } = launch(folder, settings)
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exit
  })
  const failure = exit.then(() => Promise.reject(new Error(`The gateway did not start: ${errors.join('')}${lines.join('\n')}`)))
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal)
    return exit
  }
  return {
    url: await Promise.race([listening, failure]),
    pid: child.pid ?? 0,
    folder,
    lines,
    exit,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  }
}

/** How a start that is expected to be refused ended. */
export async function startRefused (folder: string, settings: Settings = {}): Promise<Exit & { stderr: string }> {
  const { errors, exit } = launch(folder, settings, AbortSignal.timeout(startMs))
  return { ...await exit, stderr: errors.join('') }
}

/** `state` is there when it neither listened nor ended: what it was doing. */
export type Traced = Exit & { isListening: boolean, state?: string }

/** How a start under strace with these arguments ended. One that comes to listen is killed then, as is one that takes too long. */
export async function startUnder (t: Pick<Test, 'teardown'>, strace: readonly string[], folder: string, settings: Settings = {}): Promise<Traced> {
  const { child, lines, errors, exit, listening } = launch(folder, settings, undefined, ['strace', ...strace])
  // strace last: alone it would leave the gateway running, and lose what it has not yet written.
  const kill = () => {
    for (const pid of childrenOf(child.pid ?? 0)) process.kill(pid, 'SIGKILL')
  }
  t.teardown(async () => {
    kill()
    child.kill('SIGKILL')
    await exit
  })
  const outcome = await Promise.race([listening, exit, pause(startMs)])
  if (outcome === undefined) {
    const state = [...lines.slice(-3), ...errors, ...familyOf(child.pid ?? 0).map(doingOf)].join('\n')
    return { code: null, signal: null, isListening: false, state }
  }
  const isListening = typeof outcome === 'string'
  if (isListening) kill()
  return { ...await exit, isListening }
}

function launch (folder: string, settings: Settings, signal?: AbortSignal, before: readonly string[] = []) {
  const [command = execPath, ...args] = [...before, execPath, server]
  const child = spawn(command, args, {
    // Elsewhere than in the repository: a developer's .env is not for tests.
    cwd: tmpdir(),
    // Nor are the hooks that tap puts into NODE_OPTIONS.
    env: { PATH: process.env['PATH'], ...(before.length === 0 && compiled), PORT: '0', JWT_SECRET: secret, DISK_RESERVE: '0', ...settings, UPLOADS_DIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
    killSignal: 'SIGKILL',
    ...(signal !== undefined && { signal }),
  })
  child.on('error', (error) => errors.push(error.message))
  const lines: string[] = []
  const errors: string[] = []
  const { promise: listening, resolve } = Promise.withResolvers<string>()
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line)
    const [, url] = /Server listening at (http:[^"]+)/.exec(line) ?? []
    if (url !== undefined) resolve(url)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  const exit = once(child, 'close').then(([code, signal]): Exit => ({ code, signal }))
  return { child, lines, errors, exit, listening }
}
