// Commands as processes of their own, on a volume: run to their end, or killed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execPath } from 'node:process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { secret } from '../helper.ts'
import type { Exit, Settings } from './gateway.ts'
import { compiled } from './machine.ts'

export const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

export type Ran = Exit & { readonly stdout: string, readonly stderr: string }

/** `stdout`: a file to write to, instead of giving back what came. */
type Options = { readonly killAfterMs?: number, /** Killed as soon as this is so. */ readonly killWhen?: () => boolean, readonly settings?: Settings, readonly stdout?: string }

export const envFor = (folder: string, settings: Settings = {}) => ({ PATH: process.env['PATH'], ...compiled, JWT_SECRET: secret, DISK_RESERVE: '0', ...settings, UPLOADS_DIR: folder })

/** `code` is null when it was killed. */
export async function command (folder: string, args: readonly string[], { killAfterMs, killWhen, settings, stdout }: Options = {}): Promise<Ran> {
  const child = spawn(execPath, [cli, ...args], { cwd: tmpdir(), env: envFor(folder, settings), stdio: ['ignore', stdout === undefined ? 'pipe' : openSync(stdout, 'w'), 'pipe'] })
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  const watch = killWhen === undefined ? undefined : setInterval(() => { if (killWhen()) child.kill('SIGKILL') }, 2)
  const [out, errors, [code, signal]] = await Promise.all([child.stdout === null ? '' : text(child.stdout), child.stderr === null ? '' : text(child.stderr), once(child, 'close')])
  clearTimeout(timer)
  clearInterval(watch)
  return { code, signal, stdout: out, stderr: errors }
}
