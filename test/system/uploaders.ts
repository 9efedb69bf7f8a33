// Clients that upload without pause and remember what was acknowledged: only an answer that came whole counts.
import { randomBytes, randomInt } from 'node:crypto'
import { attachmentIn, call, get, json, noise, postAttachment, putAvatar, randomSize, sha256 } from './client.ts'
import { bearer, type Gateway } from './gateway.ts'
import { pause, until } from './machine.ts'

/** Where an acknowledged upload is to be found, and its bytes. */
export type Acknowledged = { readonly user: string, readonly url: string, readonly sha256: string, readonly isAvatar: boolean }

export type Uploaders = {
  /** All so far, oldest first. */
  readonly acknowledged: readonly Acknowledged[]
  /** Of all bodies that were sent, acknowledged or not. */
  readonly sent: Set<string>
  /** Uploads until the gateway is gone, `count` at once; `mayFail` says whether it may answer with a failure by now. */
  upload (gateway: Gateway, count: number, mayFail?: () => boolean): Promise<void>
  /** Kills the gateway in the middle of so many uploads at once, some time after the first of them; what it had acknowledged of these. */
  untilKilled (gateway: Gateway, count: number): Promise<Acknowledged[]>
}

export function createUploaders ({ maxSize = 3 * 1024 ** 2 } = {}): Uploaders {
  const acknowledged: Acknowledged[] = []
  const sent = new Set<string>()

  async function uploadOne (gateway: Gateway, user: string, isAvatar: boolean, mayFail: () => boolean): Promise<void> {
    const body = isAvatar ? noise(randomSize(maxSize)) : randomBytes(randomSize(maxSize))
    const hash = sha256(body)
    sent.add(hash)
    const answer = await (isAvatar ? putAvatar : postAttachment)(gateway, user, body)
    if (answer.status === 200 || answer.status === 201) acknowledged.push({ user, isAvatar, sha256: hash, url: isAvatar ? json(answer).versionedUrl : attachmentIn(answer).url })
    else if (!mayFail()) throw new Error(`an upload was answered with ${answer.status}: ${answer.body}`)
  }

  async function one (gateway: Gateway, user: string, mayFail: () => boolean): Promise<void> {
    for (let turn = 0; gateway.isRunning(); turn += 1) {
      try {
        await uploadOne(gateway, user, turn % 2 === 0, mayFail)
      } catch (error) {
        // Node reports the end of a process a moment after its sockets are gone.
        if (!isConnectionLost(error)) throw error
        await gateway.exit
      }
    }
  }

  async function upload (gateway: Gateway, count: number, mayFail = () => false): Promise<void> {
    await Promise.all(Array.from({ length: count }, (_, index) => one(gateway, `user-${index}`, mayFail)))
  }

  return {
    acknowledged,
    sent,
    upload,
    async untilKilled (gateway, count) {
      const before = acknowledged.length
      const uploading = upload(gateway, count)
      await until('uploads are acknowledged', () => acknowledged.length > before + count)
      await pause(randomInt(1000))
      await gateway.kill()
      await uploading
      return acknowledged.slice(before)
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
