// Why is this picture broken? Everything that is known about an id, a hash, a user or an address, and first what follows. Only reads.
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { asUserId, type UserId } from '../../callers/caller.ts'
import type { Signer } from '../../callers/signer.ts'
import type { Config } from '../../config.ts'
import type { Database, PrismaClient } from '../../records/database.ts'
import { createKnown, type Known, type KnownBlob } from '../../records/known.ts'
import { createTombstoneRecords, type TombstoneRecords } from '../../records/tombstones.ts'
import { viewDatabase } from '../../records/viewing.ts'
import { createVolumeRecord } from '../../records/volume.ts'
import { strangerAt } from '../../storage/claim.ts'
import { createErasures, ledgerPlaces, type Erasure } from '../../storage/erasures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { HomeConfig } from '../../storage/home.ts'
import { identityAt } from '../../storage/identity.ts'
import { asBlobId } from '../../storage/ids.ts'
import { createKeyedHash, type KeyedHash } from '../../storage/keyed-hash.ts'
import { openOldFile } from '../../storage/old-folder.ts'
import { createTombstones } from '../../storage/tombstones.ts'
import { createDurable } from '../../storage/volume/durable.ts'
import { identityFile } from '../../storage/volume/layout.ts'
import { refuseDenied, refuseIfDenied } from '../access.ts'
import { atHome } from '../at-home.ts'
import { silent, type Progress } from '../progress.ts'
import { audienceWith, createAnswers, type Answered, type Audience } from './answer.ts'
import { examineFiles, examineRecord, type Examined, type Place } from './examine.ts'
import { explainLink, linkSigner, standingLinks, type KnownLink, type StandingLinks } from './links.ts'
import { blobNaming } from './named-by.ts'
import { createKnownAccounts, type KnownAccounts } from './records.ts'
import { normalEmail, parseSubject, withoutToken, type Subject } from './subject.ts'
import { judge, type Facts, type Verdict } from './verdict.ts'

export type ExplainConfig = HomeConfig & Pick<Config, 'database' | 'trashRetentionMs' | 'linkSecrets' | 'readThroughDirs'>

export type Explanation = Verdict & {
  readonly asked: string
  /** What was asked about, in words. */
  readonly meaning: string
  readonly audience: Audience
  /** The one the verdict is about comes first. */
  readonly blobs: readonly Examined[]
  readonly owner: NonNullable<Facts['owner']> | null
  /** That was asked about. */
  readonly link: KnownLink | null
  /** To the attachment that the verdict is about. */
  readonly standingLinks: StandingLinks | null
  readonly oldPath: NonNullable<Facts['oldPath']> | null
  /** What could not be looked at, and why. */
  readonly unknown: readonly string[]
}

type View = Place & { readonly client: PrismaClient | undefined, readonly accounts: KnownAccounts | undefined, readonly signer: () => Promise<Signer>, readonly tombstones: TombstoneRecords | undefined, readonly databaseFailure: string | undefined, readonly unknown: string[], readonly now: () => Date, readonly readThroughDirs: readonly string[], readonly progress: Progress }

type Options = { readonly fs?: FileSystem, readonly now?: () => Date, readonly progress?: Progress }

/** @throws Refusal when `asked` is nothing of the gateway's, or when this user may not read what it needs */
export async function explain (config: ExplainConfig, asked: string, { fs, now = () => new Date(), progress = silent }: Options = {}): Promise<Explanation> {
  const subject = parseSubject(asked)
  return atHome(config, fs, (home) => explainAt({ fs: home, now, progress }, config, subject, asked))
}

type Tools = Required<Options>

async function explainAt (tools: Tools, config: ExplainConfig, subject: Subject, asked: string): Promise<Explanation> {
  const database = await viewDatabase(config.database).catch((error: unknown) => reasonOf(error))
  try {
    return await look(subject, asked, await viewOf(config, tools, database))
  } finally {
    if (typeof database !== 'string') await database.close()
  }
}

/** Each part on its own: what cannot be read does not hide the rest. */
async function viewOf (config: ExplainConfig, { fs, now, progress }: Tools, database: Database | string): Promise<View> {
  const { uploadsDir: root, trashRetentionMs, readThroughDirs } = config
  const unknown: string[] = []
  const failure = typeof database === 'string' ? database : await database.check().then(() => undefined, reasonOf)
  if (failure !== undefined && config.database.kind === 'sqlite') await refuseDenied(fs, config.database.file)
  const client = typeof database === 'string' || failure !== undefined ? undefined : database.client
  const hash = await keyedHash(fs, root, unknown)
  if (client !== undefined) await noteStranger(fs, root, client, unknown)
  return {
    fs, root, trashRetentionMs, readThroughDirs, now, progress, hash, client, unknown,
    known: client === undefined ? undefined : createKnown(client),
    accounts: client === undefined ? undefined : createKnownAccounts(client),
    signer: () => linkSigner(config),
    databaseFailure: failure,
    erasures: hash === undefined ? [] : await readErasures(config, fs, hash, unknown),
    tombstones: client === undefined || hash === undefined ? undefined : createTombstoneRecords({ client, hash, now, tombstones: createTombstones({ fs, durable: createDurable({ fs, onSyncFailure: () => {} }), root }) }),
  }
}

/** The answer is that of a copy which may be out of date. */
async function noteStranger (fs: FileSystem, root: string, client: PrismaClient, unknown: string[]): Promise<void> {
  const { id } = await createVolumeRecord(client).claimant({ name: '', onlyReads: true })
  const stranger = await strangerAt(fs.move?.own ?? fs, root, id).catch(reasonOf)
  if (stranger !== undefined) unknown.push(`What was uploaded or changed since this database was copied: ${stranger}`)
}

async function keyedHash (fs: FileSystem, root: string, unknown: string[]): Promise<KeyedHash | undefined> {
  try {
    const identity = await identityAt(fs, root)
    if (identity !== undefined) return createKeyedHash(identity.volumeId)
    unknown.push(`Erasures and tombstones: ${root} has no identity file, so it may be no uploads volume at all.`)
  } catch (error) {
    refuseIfDenied(join(root, identityFile), error)
    unknown.push(`Erasures and tombstones: the identity of the volume ${root} cannot be read (${reasonOf(error)}).`)
  }
  return undefined
}

async function readErasures ({ uploadsDir, erasureLedger }: ExplainConfig, fs: FileSystem, hash: KeyedHash, unknown: string[]): Promise<readonly Erasure[]> {
  const ledger = createErasures({ fs, hash, durable: createDurable({ fs, onSyncFailure: () => {} }), paths: ledgerPlaces(uploadsDir, erasureLedger) })
  return ledger.read().then(({ erasures }) => erasures, (error: unknown) => {
    unknown.push(`Erasures: the ledger cannot be read (${reasonOf(error)}).`)
    return []
  })
}

async function look (asked: Subject, text: string, view: View): Promise<Explanation> {
  const account = await accountOf(asked, text, view)
  const link = asked.is === 'link' ? await linkOf(asked.token, view) : undefined
  const meant = account === undefined ? asAttachment(link) ?? await asUser(asked, text, view) : { is: 'user' as const, userId: account }
  const found = view.known === undefined ? [] : await blobsOf(meant, view.known)
  const subject = addressOf(meant, found)
  const blobs = await Promise.all(found.map((one) => examineRecord(view, one)))
  if (blobs.length === 0) blobs.push(...await withoutRecord(meant, view))
  const standing = await linksTo(blobs[0], view)
  const audience = audienceOf(await answeredTo(subject, view), blobs[0], link, standing)
  const owner = await ownerOf(subject, blobs[0], view)
  const oldPath = subject.is === 'old path' ? await oldPathOf(subject.path, view) : undefined
  const verdict = judge({ subject, audience, blob: blobs[0], owner, oldPath, link, databaseFailure: view.databaseFailure, now: view.now() })
  return { ...verdict, asked: asked.is === 'link' ? withoutToken(text).replaceAll(asked.token, '...') : withoutToken(text), meaning: account === undefined ? meaningOf(asked, subject) : `${text.trim()} is the account ${account}: ${inWords(subject)}`, audience, blobs, owner: owner ?? null, link: link ?? null, standingLinks: standing ?? null, oldPath: oldPath ?? null, unknown: view.unknown }
}

async function blobsOf (subject: Subject, known: Known): Promise<KnownBlob[]> {
  switch (subject.is) {
    case 'id':
    case 'attachment':
    case 'version': return known.byId(subject.id)
    case 'sha256': return known.bySha256(subject.sha256)
    case 'old path': return known.byAlias(subject.path)
    case 'user':
    case 'current avatar': return currentOf(subject.userId, known)
    case 'link':
    case 'e-mail':
    case 'no address': return []
  }
}

/** The current avatar, or where there is none the last that was deleted. */
async function currentOf (userId: UserId, known: Known): Promise<KnownBlob[]> {
  const { currentAvatar, deletedAvatar } = await known.owner(userId)
  const id = currentAvatar ?? deletedAvatar?.id
  return id === undefined ? [] : known.byId(id)
}

/** Whose e-mail address it is. An id that has uploads is itself. */
async function accountOf (asked: Subject, text: string, { known, accounts }: View): Promise<UserId | undefined> {
  if (asked.is !== 'user' && asked.is !== 'e-mail') return undefined
  const isItself = asked.is === 'user' && ((await known?.owner(asked.userId))?.uploads ?? 0) > 0
  return isItself ? undefined : accounts?.byEmail(normalEmail(text))
}

/** An id may be a user's, too, whose name is as it was typed. One that is no UUIDv7 can be nothing else. */
async function asUser (asked: Subject, text: string, { known, hash, erasures, tombstones }: View): Promise<Subject> {
  const userId = asUserId(text.trim())
  if (asked.is !== 'id' || userId === undefined || (await known?.byId(asked.id) ?? []).length > 0) return asked
  const key = hash?.('owner', userId)
  const isUser = asBlobId(asked.id) === undefined || (await known?.owner(userId))?.uploads || erasures.some(({ owner }) => owner === key) || await tombstones?.hasAvatar(userId)
  return isUser ? { is: 'user', userId } : asked
}

/** What is on the volume under the id of a file, or of an attachment. */
async function withoutRecord (subject: Subject, view: View): Promise<Examined[]> {
  const id = subject.is === 'id' || subject.is === 'attachment' || subject.is === 'version' ? asBlobId(subject.id) : undefined
  if (id === undefined) return []
  const files = await examineFiles(view, id)
  if (files.length > 0 || subject.is === 'version') return files
  const named = await blobNaming(view, id)
  return named === undefined ? [] : examineFiles(view, named)
}

/** Of a blob that was asked for by its id or content: the address it is served under. */
function addressOf (asked: Subject, found: readonly KnownBlob[]): Subject {
  const sidecar = found[0]?.sidecar
  if (asked.is !== 'id' && asked.is !== 'sha256') return asked
  if (sidecar === undefined) return asked
  if (sidecar.recordId !== null) return { is: 'attachment', id: sidecar.recordId }
  const [path] = sidecar.aliases
  if (sidecar.ownerId !== null) return { is: 'version', userId: sidecar.ownerId as UserId, id: sidecar.id }
  return path === undefined ? asked : { is: 'old path', path }
}

const answeredTo = async (subject: Subject, { client, fs, root, hash = createKeyedHash(''), now }: View): Promise<Answered> =>
  client === undefined ? 'nobody' : createAnswers({ client, fs, root, hash, now })(subject)

function audienceOf (answered: Answered, blob: Examined | undefined, link: KnownLink | undefined, standing: StandingLinks | undefined): Audience {
  if (link !== undefined) return link.is === 'standing' && answered !== 'nobody' ? 'whoever has the link' : 'nobody'
  return audienceWith(answered, { hasReaders: (blob?.record?.readers ?? []).length > 0, hasLinks: (standing?.count ?? 0) > 0 })
}

async function linkOf (token: string, { client, signer, now, unknown }: View): Promise<KnownLink> {
  const own = await signer().catch((error: unknown) => {
    unknown.push(`Whether the gateway signed the link: ${reasonOf(error)}`)
    return undefined
  })
  return explainLink(token, { client, signer: own, now })
}

/** What a link of which there is a record leads to. */
const asAttachment = (link: KnownLink | undefined): Subject | undefined =>
  link === undefined || link.attachmentId === null ? undefined : { is: 'attachment', id: link.attachmentId }

async function linksTo (blob: Examined | undefined, { client, now }: View): Promise<StandingLinks | undefined> {
  const id = blob?.record?.recordId ?? null
  return client === undefined || id === null ? undefined : standingLinks(client, id, now)
}

async function ownerOf (subject: Subject, blob: Examined | undefined, { known, accounts, hash, erasures, tombstones }: View): Promise<Facts['owner']> {
  const id = subject.is === 'user' || subject.is === 'current avatar' || subject.is === 'version' ? subject.userId : blob?.record?.ownerId ?? null
  if (id === null || known === undefined) return undefined
  const key = hash?.('owner', id)
  return {
    id, ...await known.owner(id),
    erasedAt: erasures.findLast(({ owner }) => owner === key)?.at ?? null,
    hasTombstone: await tombstones?.hasAvatar(id) ?? false,
    hasAccount: await accounts?.has(id) ?? false,
  }
}

async function oldPathOf (path: string, { tombstones, readThroughDirs }: View): Promise<NonNullable<Facts['oldPath']>> {
  const places = await Promise.all(readThroughDirs.map((folder) => oldFileIn(folder, path)))
  return { hasTombstone: await tombstones?.hasPath(path) ?? false, oldFile: places.find((place) => place !== null) ?? null }
}

/** Where the read-through would find it. */
async function oldFileIn (folder: string, path: string): Promise<string | null> {
  const [, prefix = '', ...rest] = path.split('/')
  try {
    const root = await realpath(join(folder, prefix))
    const { handle } = await openOldFile(root, rest.join('/'))
    await handle.close()
    return join(root, ...rest)
  } catch {
    return null
  }
}

function meaningOf (asked: Subject, subject: Subject): string {
  const known = asked.is === 'id' ? 'an id' : asked.is === 'sha256' ? 'files with this content' : asked.is === 'link' ? 'a link' : undefined
  const meaning = inWords(subject)
  return known === undefined || known === meaning ? meaning : `${known}: ${meaning}`
}

function inWords (subject: Subject): string {
  switch (subject.is) {
    case 'id': return 'an id'
    case 'sha256': return 'files with this content'
    case 'link': return 'a link'
    case 'user': return `the user ${subject.userId}, and their current avatar`
    case 'e-mail': return `the e-mail address ${subject.email}`
    case 'current avatar': return `the current avatar of ${subject.userId}`
    case 'version': return `the avatar ${subject.id} of ${subject.userId}`
    case 'attachment': return `the attachment ${subject.id}`
    case 'old path': return `the file that an older client knows as ${subject.path}`
    case 'no address': return `${subject.path}, which is no address of a file`
  }
}

/** Prisma says what it was asked first, and in the last line what was wrong. */
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).trim().split('\n').at(-1) ?? ''
