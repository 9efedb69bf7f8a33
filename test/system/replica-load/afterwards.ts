// What there is when a load is over, asked through one gateway, against what was acknowledged.
import pLimit from 'p-limit'
import { createClient, type Attachment } from '../../../src/client/client.ts'
import { get, sha256 } from '../client.ts'
import { bearer } from '../gateway.ts'
import { sha256Of } from './content.ts'
import type { Holdings, Ledger } from './ledger.ts'
import { differences } from './user.ts'

export type Afterwards = { readonly problems: readonly string[], readonly files: number, readonly pictures: number, readonly bytes: number }

const atOnce = 8

export async function afterwards (url: string, { holdings }: Pick<Ledger, 'holdings'>): Promise<Afterwards> {
  const problems: string[] = []
  let [files, pictures, bytes] = [0, 0, 0]

  async function comparing (what: string, path: string, user: string, expected: string): Promise<void> {
    const { status, body } = await get({ url }, path, user)
    bytes += body.length
    if (status !== 200 || sha256(body) !== expected) problems.push(`${what} was answered with ${status} and ${body.length} bytes that are not those that were sent.`)
  }

  async function ofFile ({ user }: Holdings, file: Holdings['files'][number]): Promise<void> {
    files += 1
    const path = `/api/attachments/${file.id}/content`
    if (file.state === 'live') return comparing(file.name, path, user, sha256Of(file))
    const { status } = await get({ url }, path, user)
    if (file.state === 'deleted' && status !== 404) problems.push(`${file.name}, which was deleted, was answered with ${status}.`)
  }

  async function ofPictures ({ user, pictures: versions, current }: Holdings): Promise<void> {
    for (const picture of versions) {
      pictures += 1
      await comparing(picture.name, `/api/avatars/${user}/${picture.version}`, user, sha256Of(picture))
    }
    const shown = versions.find(({ version }) => version === current)
    if (shown !== undefined) await comparing(`The picture that ${user} shows, ${shown.name},`, `/api/avatars/${user}`, user, sha256Of(shown))
  }

  async function ofUser (held: Holdings): Promise<void> {
    const { authorization } = await bearer(held.user)
    const client = createClient({ baseUrl: url, token: authorization.slice('Bearer '.length), storage: null })
    const listed: Attachment[] = []
    for await (const attachment of client.attachments.each({ limit: 100 })) listed.push(attachment)
    problems.push(...differences(held, listed))
    const known = new Set(held.pictures.map(({ version }) => version))
    const strangers = (await client.avatars.versions()).filter(({ version }) => !known.has(version))
    if (strangers.length > held.unanswered.length) problems.push(`${held.user} has ${strangers.length} pictures more than were acknowledged.`)
    await ofPictures(held)
  }

  await pLimit(atOnce).map(holdings, ofUser)
  await pLimit(atOnce).map(holdings.flatMap((held) => held.files.map((file) => ({ held, file }))), ({ held, file }) => ofFile(held, file))
  return { problems, files, pictures, bytes }
}
