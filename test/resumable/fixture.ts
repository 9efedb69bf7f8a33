// A gateway for tests of resumable uploads, and a client of them that is told exactly what to send.
import { once } from 'node:events'
import { createConnection, type AddressInfo, type Socket } from 'node:net'
import type { InjectOptions } from 'fastify'
import type { Test } from 'tap'
import type { AppOptions } from '../../src/app.ts'
import type { Scope } from '../../src/callers/caller.ts'
import { build, type Gateway } from '../helper.ts'

export const bodyType = 'application/offset+octet-stream'

/** As Upload-Metadata has it. */
export const metadata = (fields: Record<string, string>): string =>
  Object.entries(fields).map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`).join()

type Headers = Record<string, string>

export type Client = Awaited<ReturnType<typeof clientOf>>

export async function clientOf ({ app, as }: Gateway, user: string, ...scopes: Scope[]) {
  const own = { ...await as(user, ...scopes), 'tus-resumable': '1.0.0' }
  const ask = (method: InjectOptions['method'], url: string, headers: Headers = {}, payload?: string | Buffer) =>
    app.inject({ ...(method !== undefined && { method }), url, headers: { ...own, ...headers }, ...(payload !== undefined && { payload }) })
  return {
    own,
    ask,
    create: (headers: Headers, payload?: string | Buffer) => ask('POST', '/api/resumable', headers, payload),
    /** The address of a new upload; throws when there is none. */
    async begin (length: number | undefined, fields: Record<string, string> = {}, headers: Headers = {}): Promise<string> {
      const said = Object.keys(fields).length === 0 ? {} : { 'upload-metadata': metadata(fields) }
      const answer = await ask('POST', '/api/resumable', { ...(length === undefined ? { 'upload-defer-length': '1' } : { 'upload-length': String(length) }), ...said, ...headers })
      if (answer.statusCode !== 201) throw new Error(`${answer.statusCode} ${answer.body}`)
      return String(answer.headers.location)
    },
    send: (url: string, offset: number, bytes: string | Buffer, headers: Headers = {}) => ask('PATCH', url, { 'upload-offset': String(offset), 'content-type': bodyType, ...headers }, bytes),
    head: (url: string, headers: Headers = {}) => ask('HEAD', url, headers),
    look: (url: string) => ask('GET', url),
    end: (url: string) => ask('DELETE', url),
    content: async (result: unknown) => (await ask('GET', `${String(result)}/content`)).body,
  }
}

export async function open (t: Test, settings: Record<string, string> = {}, options: AppOptions = {}) {
  const gateway = await build(t, settings, options)
  const { client } = gateway.app.database
  const ada = await clientOf(gateway, 'ada')
  return {
    ...gateway, ada, client,
    /** Without heartbeats and identity. */
    kept: async () => (await gateway.files()).filter((path) => /^(resumable|avatars|attachments)\/|^staging\/[^/]+\/(?!heartbeat)/.test(path)),
    rows: () => client.resumable.findMany({ orderBy: { id: 'asc' } }),
  }
}

/** What a clock says that a test moves. */
export function clock (at = Date.now()) {
  let time = at
  return { now: () => new Date(time), forward: (ms: number) => { time += ms } }
}

export async function until (what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 2000; tries += 1) {
    if (await isSo()) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`never: ${what}`)
}

/** Until bytes that were sent have been taken in: their file can be seen before the gateway has looked at the clock for them. */
export async function cameIn ({ kept }: { kept: () => Promise<string[]> }, isTheirs: (path: string) => boolean = () => true): Promise<void> {
  await until('it came', async () => (await kept()).some(isTheirs))
  for (let turns = 0; turns < 20; turns += 1) await kept()
}

/** A connection on which a test writes a request byte by byte. */
export async function connect ({ app }: Gateway): Promise<{ socket: Socket, answer: Promise<string> }> {
  if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' })
  const socket = createConnection((app.server.address() as AddressInfo).port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => {})
  const answer = once(socket, 'close').then(() => Buffer.concat(chunks).toString())
  await once(socket, 'connect')
  return { socket, answer }
}

export const patchHead = (url: string, own: Headers, headers: Headers): string =>
  `PATCH ${url} HTTP/1.1\r\nHost: x\r\n${Object.entries({ ...own, 'content-type': bodyType, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
