// Whole files by curl, as a client would send or take them.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { toolPath } from '../../test/system/machine.ts'
import { cores, on } from './cores.ts'

/** What was answered. @throws when the answer is an error, or does not come whole */
export async function curl (...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(...on(cores.clients, 'curl', ['--silent', '--show-error', '--fail-with-body', '--header', 'Expect:', ...args]), { env: { PATH: toolPath }, maxBuffer: 16 * 1024 ** 2 })
  return stdout
}

/** The headers of curl. */
export const headerArgs = (headers: Readonly<Record<string, string>>): string[] => Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`])

export async function sha256Of (file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file, { highWaterMark: 1024 ** 2 }), hash)
  return hash.digest('hex')
}

/** @throws when a server's answer is not these bytes */
export async function expectBytes (url: string, wanted: Buffer, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const answer = await fetch(url, { headers })
  const bytes = Buffer.from(await answer.arrayBuffer())
  if (!answer.ok || !bytes.equals(wanted)) throw new Error(`${url} was answered with ${answer.status} and other bytes (${bytes.length} instead of ${wanted.length}).`)
}
