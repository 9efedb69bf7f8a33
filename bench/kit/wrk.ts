// Requests by wrk, over connections that are kept open.
import { execFile } from 'node:child_process'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { toolPath } from '../../test/system/machine.ts'
import { cores, on } from './cores.ts'

/** Where there is but one request: `body` is a file, and `isNumbered` ends its path in a number that it had never before. */
export type Request = { readonly path: string, readonly method?: string, readonly headers?: Readonly<Record<string, string>>, readonly body?: string, readonly isNumbered?: boolean }

export type Rate = { readonly requests: number, readonly perSecond: number, readonly p50Ms: number, readonly p99Ms: number }

type Options = {
  readonly requests: readonly Request[]
  readonly connections: number
  readonly seconds: number
  /** For the script that wrk follows. */
  readonly folder: string
}

/** Strings of Lua take JSON's escapes but for those of other characters than ASCII, which no request here has. */
const lua = (value: string): string => JSON.stringify(value)

const table = (fields: Readonly<Record<string, string>>): string => `{ ${Object.entries(fields).map(([name, value]) => `[${lua(name)}] = ${lua(value)}`).join(', ')} }`

const reading = `
local function read (name)
  local file = assert(io.open(name, 'rb'))
  local bytes = file:read('*a')
  file:close()
  return bytes
end`

/** Each has a number. */
const threads = `
local count = 0
function setup (thread)
  count = count + 1
  thread:set('number', count)
end`

/** Nothing is called for each request, unless its path is another each time: wrk sends the same again. */
const oneRequest = ({ path, method = 'GET', headers = {}, body, isNumbered = false }: Request): string => `${reading}
wrk.path = ${lua(path)}
wrk.method = ${lua(method)}
wrk.headers = ${table(headers)}
${body === undefined ? '' : `wrk.body = read(${lua(body)})`}
${isNumbered ? numbered(path) : ''}
`

const numbered = (path: string): string => `
${threads}
local sent = 0
function request ()
  sent = sent + 1
  return wrk.format(nil, ${lua(path)} .. os.time() .. '-' .. number .. '-' .. sent)
end`

/** Each thread prepares them once, and takes its own sequence of them. */
const manyRequests = (requests: readonly Request[]): string => `
${threads}
local prepared = {}
function init ()
  math.randomseed(number)
${requests.map(({ path, method = 'GET', headers = {} }) => `  prepared[#prepared + 1] = wrk.format(${lua(method)}, ${lua(path)}, ${table(headers)})`).join('\n')}
end
function request ()
  return prepared[math.random(#prepared)]
end
`

/** A function that asks for `seconds` each time, one of the requests at random. @throws when an answer was an error, or a connection broke */
export async function wrk (url: string, { requests, connections, seconds, folder }: Options): Promise<() => Promise<Rate>> {
  const file = join(await mkdtemp(join(folder, 'wrk-')), 'requests.lua')
  const [first] = requests
  if (first === undefined) throw new Error('There is nothing to ask for.')
  await writeFile(file, requests.length === 1 ? oneRequest(first) : manyRequests(requests))
  const threads = Math.min(cores.clients.length, connections)
  // What it measures is not to be its own wait for a core that other clients have.
  const [command, args] = on(cores.clients, 'nice', ['-n', '-10', 'wrk', '-t', String(threads), '-c', String(connections), '-d', `${seconds}s`, '--timeout', '30s', '--latency', '-s', file, url])
  return async () => {
    const { stdout } = await promisify(execFile)(command, args, { env: { PATH: toolPath } })
    if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`Not all was answered:\n${stdout}`)
    const milliseconds = (percentile: string) => {
      const [, value, unit] = new RegExp(`${percentile}%\\s+([\\d.]+)(us|ms|s)`).exec(stdout) ?? []
      return Number(value) * ({ us: 0.001, ms: 1, s: 1000 }[unit ?? ''] ?? NaN)
    }
    return { requests: Number(/(\d+) requests in/.exec(stdout)?.[1]), perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]), p50Ms: milliseconds('50'), p99Ms: milliseconds('99') }
  }
}
