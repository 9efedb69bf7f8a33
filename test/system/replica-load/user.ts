// One user of the load: does one thing after the other, knows what there must be by then, and compares every byte that comes back.
import { randomUUID } from 'node:crypto'
import { createCall } from '../../../src/client/call.ts'
import { createClient, UploadGatewayError, type Attachment } from '../../../src/client/client.ts'
import { networkFailed } from '../../../src/client/error.ts'
import { patiently } from '../../../src/client/patience.ts'
import { byFetch, type Fetch } from '../../../src/client/transport.ts'
import { sha256 } from '../client.ts'
import { bytesOf, sha256Of, type Content } from './content.ts'
import type { Failure, Holdings, Kept } from './ledger.ts'
import type { Random } from './random.ts'

export type UserOptions = {
  readonly name: string
  readonly baseUrl: string
  readonly token: string
  /** Of a service that may act for all: restoring is for those. */
  readonly adminToken: string
  readonly random: Random
  readonly fetch: Fetch
  /** Of an upload. */
  readonly maxBytes: number
  /** A file that everybody may read, of whomever. */
  readonly anyPublic: () => Kept | undefined
  readonly onDone: (operation: string) => void
  readonly onFailure: (failure: Failure) => void
  readonly onWrong: (sentence: string) => void
}

export type User = {
  readonly holdings: Holdings
  /** Does one thing, whatever comes of it. */
  step (): Promise<void>
}

const pace = { retries: 8, delayMs: 200 }
/** What is larger goes in chunks. */
const plainMaxBytes = 256 * 1024
/** A changed picture is to be seen through every gateway after this. */
const shownWithinMs = 1000

export function createUser ({ name: user, baseUrl, token, adminToken, random, fetch, maxBytes, anyPublic, onDone, onFailure, onWrong }: UserOptions): User {
  const client = createClient({ baseUrl, token, fetch, storage: null, retries: pace.retries, retryDelayMs: pace.delayMs, plainMaxBytes })
  const transport = byFetch(fetch)
  const own = createCall({ baseUrl, getToken: () => token, transport, pace })
  const admin = createCall({ baseUrl, getToken: () => adminToken, transport, pace })
  const nobody = createCall({ baseUrl, getToken: () => undefined, transport, pace })
  const holdings: Holdings = { user, files: [], pictures: [], current: undefined, unanswered: [] }
  let shownSince = 0
  let count = 0

  const live = () => holdings.files.filter(({ state }) => state === 'live')
  const nameNext = (extension: string) => `${user}-${String(count++).padStart(6, '0')}.${extension}`

  /** All bytes of an answer, which is asked for again when it breaks off. */
  const whole = (ask: () => Promise<Response>): Promise<{ response: Response, bytes: Buffer }> => patiently(pace, async () => {
    const response = await ask()
    const bytes = await response.arrayBuffer().catch((error: unknown) => { throw networkFailed(error) })
    return { response, bytes: Buffer.from(bytes) }
  })

  function compare (what: string, { response, bytes }: { response: Response, bytes: Buffer }, expected: Buffer): void {
    if (!bytes.equals(expected)) onWrong(`${what} came as ${bytes.length} other bytes than the ${expected.length} that were sent (${response.status}).`)
    const said = response.status === 200 ? /sha-256=:([^:]+):/.exec(response.headers.get('repr-digest') ?? '')?.[1] : undefined
    if (said !== undefined && Buffer.from(said, 'base64').toString('hex') !== sha256(expected)) onWrong(`${what} came with another digest than that of its bytes.`)
  }

  async function refused (what: string, ask: () => Promise<unknown>): Promise<void> {
    try {
      await ask()
      onWrong(`${what} is still to be read.`)
    } catch (error) {
      if (!(error instanceof UploadGatewayError) || error.status !== 404) throw error
    }
  }

  const contentOf = ({ id }: Kept, range?: string) => () => own.once('GET', `/api/attachments/${id}/content`, { headers: { Range: range } })

  /** Two at once with one key are one upload, as when a client is impatient. */
  async function send<T extends { id: string } | { version: string }> (once: () => Promise<T>): Promise<T> {
    if (!random.chance(0.1)) return once()
    const [one, other] = await Promise.all([once(), once()])
    const [first, second] = [one, other].map((answer) => 'id' in answer ? answer.id : answer.version)
    if (first !== second) onWrong(`One upload, sent twice with one key, became ${first} and ${second}.`)
    return one
  }

  async function keep (content: Content, isPublic: boolean, upload: () => Promise<Attachment>): Promise<void> {
    const { id, size, sha256: said } = await unlessUnanswered(content, () => send(upload))
    holdings.files.push({ ...content, id, isPublic, alt: null, state: 'live' })
    const bytes = bytesOf(content)
    if (size !== bytes.length || said !== sha256(bytes)) onWrong(`${content.name} was acknowledged with another size or sha-256 than what was sent.`)
  }

  async function unlessUnanswered<T> (content: Content, upload: () => Promise<T>): Promise<T> {
    try {
      return await upload()
    } catch (error) {
      holdings.unanswered.push(content.name)
      throw error
    }
  }

  async function uploadByClient (size: number): Promise<void> {
    const content = { name: nameNext('bin'), size, isPicture: false }
    const isPublic = random.chance(0.3)
    const options = { filename: content.name, visibility: isPublic ? 'public' : 'private', idempotencyKey: randomUUID() } as const
    const file = new Blob([new Uint8Array(bytesOf(content))])
    await keep(content, isPublic, () => client.attachments.upload(file, options))
  }

  /** Changes a file; nobody knows what it is like when that is not answered. */
  async function changing (file: Kept, change: () => Promise<unknown>): Promise<void> {
    const { state } = file
    file.state = 'unsure'
    await change()
    file.state = state
  }

  const operations: Record<string, { readonly weight: number, readonly run: () => Promise<void> }> = {
    'plain upload': { weight: 14, run: () => uploadByClient(random.size(1, plainMaxBytes)) },
    'resumable upload': { weight: 6, run: () => uploadByClient(random.size(plainMaxBytes + 1, maxBytes)) },
    'raw upload': {
      weight: 14,
      async run () {
        const isPicture = random.chance(0.2)
        const content = { name: nameNext(isPicture ? 'png' : 'bin'), size: random.size(1000, plainMaxBytes), isPicture }
        const bytes = bytesOf(content)
        const headers = {
          'Content-Type': 'application/octet-stream',
          'Content-Disposition': `attachment; filename="${content.name}"`,
          'Repr-Digest': `sha-256=:${Buffer.from(sha256(bytes), 'hex').toString('base64')}:`,
          'Idempotency-Key': randomUUID(),
        }
        await keep(content, false, async () => {
          const { attachments: [attachment] } = await own.json<{ attachments: [Attachment] }>('POST', '/api/attachments', { headers, body: new Blob([new Uint8Array(bytes)]), bytes: bytes.length })
          return attachment
        })
      },
    },
    avatar: {
      weight: 6,
      async run () {
        const content = { name: nameNext('png'), size: random.size(2000, 60_000), isPicture: true }
        const file = new Blob([new Uint8Array(bytesOf(content))])
        const idempotencyKey = randomUUID()
        holdings.current = undefined
        const { version, sha256: said } = await unlessUnanswered(content, () => send(() => client.avatars.set(file, { idempotencyKey })))
        holdings.pictures.push({ ...content, version })
        ;[holdings.current, shownSince] = [version, Date.now()]
        if (said !== sha256Of(content)) onWrong(`${content.name} was acknowledged with another sha-256 than that of the picture that was sent.`)
      },
    },
    'avatar restored': {
      weight: 2,
      async run () {
        if (holdings.pictures.length === 0) return
        const { version } = random.pick(holdings.pictures)
        if (version === holdings.current) return
        holdings.current = undefined
        await client.avatars.restore(version)
        ;[holdings.current, shownSince] = [version, Date.now()]
      },
    },
    'avatar read': {
      weight: 8,
      async run () {
        if (holdings.pictures.length === 0) return
        const picture = random.pick(holdings.pictures)
        compare(picture.name, await whole(() => nobody.once('GET', `/api/avatars/${user}/${picture.version}`)), bytesOf(picture))
        const { current } = holdings
        const shown = holdings.pictures.find(({ version }) => version === current)
        if (shown === undefined || Date.now() - shownSince < shownWithinMs) return
        compare(`the picture that ${user} shows, ${shown.name},`, await whole(() => nobody.once('GET', `/api/avatars/${user}`)), bytesOf(shown))
      },
    },
    read: {
      weight: 24,
      async run () {
        if (live().length === 0) return
        const file = random.pick(live())
        compare(file.name, await whole(contentOf(file)), bytesOf(file))
      },
    },
    range: {
      weight: 8,
      async run () {
        if (live().length === 0) return
        const file = random.pick(live())
        const bytes = bytesOf(file)
        const from = random.below(bytes.length)
        const to = from + random.below(bytes.length - from)
        const answer = await whole(contentOf(file, `bytes=${from}-${to}`))
        if (answer.response.status !== 206) onWrong(`A range of ${file.name} was answered with ${answer.response.status}.`)
        compare(`bytes ${from} to ${to} of ${file.name}`, answer, bytes.subarray(from, to + 1))
      },
    },
    "read of another's": {
      weight: 4,
      async run () {
        const file = anyPublic()
        if (file === undefined) return
        try {
          compare(file.name, await whole(() => nobody.once('GET', `/api/attachments/${file.id}/content`)), bytesOf(file))
        } catch (error) {
          // Its owner may be deleting it.
          if (!(error instanceof UploadGatewayError) || error.status !== 404 || file.state === 'live') throw error
        }
      },
    },
    list: {
      weight: 4,
      async run () {
        const listed: Attachment[] = []
        for await (const attachment of client.attachments.each({ limit: 100 })) listed.push(attachment)
        for (const problem of differences(holdings, listed)) onWrong(problem)
      },
    },
    patch: {
      weight: 6,
      async run () {
        if (live().length === 0) return
        const file = random.pick(live())
        const alt = `words ${random.below(1_000_000)}`
        await changing(file, () => client.attachments.change(file.id, { alt }))
        file.alt = alt
        const now = await client.attachments.get(file.id)
        if (now.alt !== alt) onWrong(`${file.name} was changed to say ${alt}, and says ${now.alt}.`)
      },
    },
    delete: {
      weight: 5,
      async run () {
        if (live().length === 0) return
        const file = random.pick(live())
        await changing(file, () => client.attachments.remove(file.id))
        file.state = 'deleted'
        await refused(`${file.name}, which was deleted,`, () => client.attachments.get(file.id))
      },
    },
    restore: {
      weight: 3,
      async run () {
        const deleted = holdings.files.filter(({ state }) => state === 'deleted')
        if (deleted.length === 0) return
        const file = random.pick(deleted)
        const headers = { 'Idempotency-Key': randomUUID() }
        await changing(file, () => admin.json('POST', `/api/attachments/${file.id}/restore`, { headers }))
        file.state = 'live'
        compare(`${file.name}, which was restored,`, await whole(contentOf(file)), bytesOf(file))
      },
    },
    link: {
      weight: 5,
      async run () {
        if (live().length === 0) return
        const file = random.pick(live())
        const { id, url } = await client.attachments.link(file.id, { expiresIn: 3600 })
        const open = () => nobody.once('GET', new URL(url).pathname)
        compare(`the link to ${file.name}`, await whole(open), bytesOf(file))
        if (random.chance(0.5)) return
        await client.attachments.revoke(file.id, id)
        await refused(`the link to ${file.name}, which was revoked,`, () => whole(open))
      },
    },
  }
  const wheel = Object.entries(operations).flatMap(([operation, { weight }]) => Array.from({ length: weight }, () => operation))

  return {
    holdings,
    async step () {
      const operation = random.pick(wheel)
      const startedAt = Date.now()
      try {
        await operations[operation]?.run()
        onDone(operation)
      } catch (error) {
        if (!(error instanceof UploadGatewayError)) throw error
        onFailure({ user, operation, reason: `${error.code} ${error.status}: ${error.message}`, startedAt, endedAt: Date.now() })
      }
    },
  }
}

/** Between what a list has and what it must have. */
export function differences ({ user, files, unanswered }: Holdings, listed: readonly Pick<Attachment, 'id' | 'filename' | 'alt'>[]): string[] {
  const byId = new Map(listed.map((attachment) => [attachment.id, attachment]))
  const known = new Set(files.map(({ id }) => id))
  const strangers = listed.filter(({ id }) => !known.has(id)).map(({ filename }) => filename)
  return [
    ...(byId.size === listed.length ? [] : [`The list of ${user} has an attachment twice.`]),
    ...files.filter(({ id, state }) => state === 'live' && !byId.has(id)).map(({ name }) => `${name} is not in the list of ${user}.`),
    ...files.filter(({ id, state }) => state === 'deleted' && byId.has(id)).map(({ name }) => `${name}, which was deleted, is in the list of ${user}.`),
    ...files.filter(({ id, state, alt }) => state === 'live' && byId.has(id) && byId.get(id)?.alt !== alt).map(({ name, alt }) => `${name} does not say ${alt} in the list of ${user}.`),
    ...strangers.filter((name) => !unanswered.includes(name)).map((name) => `${name} is in the list of ${user} once more than it was acknowledged.`),
    ...strangers.filter((name, at) => strangers.indexOf(name) !== at).map((name) => `${name} was never acknowledged and is in the list of ${user} twice.`),
  ]
}
