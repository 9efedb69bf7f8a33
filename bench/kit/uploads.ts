// What the gateway is given before it is measured.
import { attachmentIn, call, json } from '../../test/system/client.ts'
import { bearer } from '../../test/system/gateway.ts'

/** The versioned URL of it. */
export async function setAvatar (url: string, user: string, bytes: Buffer): Promise<string> {
  const answer = await call({ url }, '/api/avatars/me', { method: 'PUT', headers: { ...await bearer(user), 'content-type': 'image/jpeg' }, body: bytes })
  if (answer.status > 201) throw new Error(`The avatar was answered with ${answer.status}: ${answer.body}`)
  return json(answer).versionedUrl
}

/** The path of its bytes. */
export async function attach (url: string, user: string, bytes: Buffer, visibility: 'private' | 'public' = 'private'): Promise<string> {
  const headers = { ...await bearer(user), 'content-type': 'application/octet-stream' }
  return attachmentIn(await call({ url }, `/api/attachments?visibility=${visibility}`, { method: 'POST', headers, body: bytes })).url
}
