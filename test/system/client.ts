// The client's side of system tests: whole requests, and an answer only when all of it came.
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { Agent, request, type IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { deflateSync } from 'node:zlib'
import { chunk, pngSignature } from '../../src/images/png-chunks.ts'
import { bearer, type Gateway } from './gateway.ts'

export type Answer = { readonly status: number, readonly headers: IncomingHttpHeaders, readonly body: Buffer }

export type Call = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: Buffer | Readable
  readonly agent?: Agent
  /** Given up after this long without a byte either way. */
  readonly idleMs?: number
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** A connection that was used before may be cut by the time it is used again. */
const freshConnections = new Agent({ keepAlive: false })

/** How often a gateway on a busy machine is asked again. */
const attempts = 60

/** As clients should: whoever is told that the gateway is overloaded asks again. Rejects unless the answer came complete. */
export async function call (gateway: Pick<Gateway, 'url'>, path: string, options: Call = {}): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await callOnce(gateway, path, options)
    const isOverloaded = answer.status === 503 && answer.body.includes('SERVICE_OVERLOADED')
    if (!isOverloaded || options.body instanceof Readable || attempt === attempts) return answer
    await setTimeout(500)
  }
}

async function callOnce ({ url }: Pick<Gateway, 'url'>, path: string, { method = 'GET', headers = {}, body, agent = freshConnections, idleMs = 30_000 }: Call): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const sent = request(new URL(path, url), { method, headers, agent }, (answer) => {
    buffer(answer).then((bytes) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: bytes }), reject)
  })
  sent.on('error', reject).setTimeout(idleMs, () => sent.destroy(new Error(`nothing came for ${idleMs} ms`)))
  if (body instanceof Readable) body.pipe(sent)
  else sent.end(body)
  return promise
}

export const json = (answer: Answer) => JSON.parse(answer.body.toString())

/** Between 1 KB and `max`, small ones as often as large. */
export const randomSize = (max = 3 * 1024 ** 2): number => Math.floor(1024 * (max / 1024) ** (randomInt(1_000_001) / 1_000_000))

/** A picture of about this size, and none like any other: noise, as a PNG that is not compressed. */
export function noise (size: number, bytes: (size: number) => Buffer = randomBytes): Buffer {
  const width = 1000
  const height = Math.max(1, Math.round(size / width))
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width)
  header.writeUInt32BE(height, 4)
  // Of gray alone.
  header.writeUInt8(8, 8)
  const rows = Buffer.concat(Array.from({ length: height }, () => Buffer.concat([Buffer.alloc(1), bytes(width)])))
  return Buffer.concat([pngSignature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows, { level: 0 })), chunk('IEND', Buffer.alloc(0))])
}

export async function putAvatar (gateway: Gateway, user: string, body: Buffer): Promise<Answer> {
  return call(gateway, '/api/avatars/me', { method: 'PUT', headers: { ...await bearer(user), 'content-type': 'image/jpeg' }, body })
}

export async function postAttachment (gateway: Gateway, user: string, body: Buffer, more: Partial<Call> = {}): Promise<Answer> {
  const headers = { ...await bearer(user), 'content-type': 'application/octet-stream', 'content-disposition': 'attachment; filename="a.bin"' }
  return call(gateway, '/api/attachments', { ...more, method: 'POST', headers: { ...headers, ...more.headers }, body })
}

/** The attachment that a POST was answered with. @throws when it was not kept */
export function attachmentIn (answer: Answer): { id: string, url: string, sha256: string, size: number } {
  if (answer.status !== 201) throw new Error(`The upload was answered with ${answer.status}: ${answer.body}`)
  return json(answer).attachments[0]
}

export async function get (gateway: Pick<Gateway, 'url'>, path: string, user: string): Promise<Answer> {
  return call(gateway, path, { headers: await bearer(user) })
}
