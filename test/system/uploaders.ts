// Clients that upload without pause and remember what was acknowledged: only an answer that came whole counts.
import { randomBytes } from 'node:crypto'
import { attachmentIn, call, get, heavier, json, postAttachment, putAvatar, randomSize, sha256 } from './client.ts'
import { bearer, type Gateway } from './gateway.ts'

/** Where an acknowledged upload is to be found, and its bytes. */
export type Acknowledged = { readonly user: string, readonly url: string, readonly sha256: string, readonly isAvatar: boolean }

export type Uploaders = {
  readonly acknowledged: Acknowledged[]
  /** Of all bodies that were sent, acknowledged or not. */
  readonly sent: Set<string>
  /** Uploads until the gateway is gone or `signal` aborts, `count` at once. Returns what was acknowledged meanwhile. */
  upload (gateway: Gateway, count: number, signal?: AbortSignal): Promise<Acknowledged[]>
}

export function createUploaders (picture: Buffer, { maxSize = 3 * 1024 ** 2 } = {}): Uploaders {
  const acknowledged: Acknowledged[] = []
  const sent = new Set<string>()

  async function uploadOne (gateway: Gateway, user: string, isAvatar: boolean): Promise<Acknowledged> {
    const body = isAvatar ? heavier(picture, randomSize(maxSize)) : randomBytes(randomSize(maxSize))
    const hash = sha256(body)
    sent.add(hash)
    const answer = await (isAvatar ? putAvatar : postAttachment)(gateway, user, body)
    if (answer.status !== 200 && answer.status !== 201) throw new Error(`an upload was answered with ${answer.status}: ${answer.body}`)
    return { user, isAvatar, sha256: hash, url: isAvatar ? json(answer).versionedUrl : attachmentIn(answer).url }
  }

  async function one (gateway: Gateway, user: string, fresh: Acknowledged[], signal: AbortSignal | undefined): Promise<void> {
    for (let turn = 0; gateway.isRunning() && signal?.aborted !== true; turn += 1) {
      try {
        fresh.push(await uploadOne(gateway, user, turn % 2 === 0))
      } catch (error) {
        // Node reports the end of a process a moment after its sockets are gone.
        if (!isConnectionLost(error)) throw error
        await gateway.exit
      }
    }
  }

  return {
    acknowledged,
    sent,
    async upload (gateway, count, signal) {
      const fresh: Acknowledged[] = []
      await Promise.all(Array.from({ length: count }, (_, index) => one(gateway, `user-${index}`, fresh, signal)))
      acknowledged.push(...fresh)
      return fresh
    },
  }
}

const isConnectionLost = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String(error.code))

/** Those of `uploads` that the gateway does not give back byte by byte. */
export async function lost (gateway: Gateway, uploads: readonly Acknowledged[]): Promise<Acknowledged[]> {
  const missing: Acknowledged[] = []
  const rest = [...uploads]
  const reader = async () => {
    for (let upload = rest.pop(); upload !== undefined; upload = rest.pop()) {
      const { status, body } = await get(gateway, upload.url, upload.user)
      if (status !== 200 || sha256(body) !== upload.sha256) missing.push(upload)
    }
  }
  await Promise.all([reader(), reader(), reader(), reader()])
  return missing
}

/** Deletes an attachment of the user. */
export const remove = async (gateway: Gateway, path: string, user: string) => call(gateway, path, { method: 'DELETE', headers: await bearer(user) })
