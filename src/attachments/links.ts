// Links: addresses that open one attachment without a token, until they expire or are revoked.
import type { Caller } from '../callers/caller.ts'
import type { Signer } from '../callers/signer.ts'
import { AttachmentNotFound, LinkNotFound, LinksExceeded } from '../errors.ts'
import { nothing, type Alongside } from '../records/commits.ts'
import type { LinkRecords, LinkRow } from '../records/links.ts'
import { newRecordId } from '../storage/ids.ts'
import type { Representation } from '../transfer/representation.ts'
import { mayChange } from './access.ts'
import { linkClaimed, linkToken } from './link-tokens.ts'
import type { AttachmentRecords, AttachmentRow } from './records.ts'
import type { Link, LinkWish } from './schema.ts'
import type { Attachments } from './service.ts'

/** Each use asks whether the link still stands: nothing that a browser keeps is shown after its end. */
const revalidated = 'private, no-cache'

/** To one attachment at a time. Of many that are made at once some may come on top: it is to keep lists short, and no promise. */
const maxLinks = 1000

/** `ownerIds`: of the files they lead to, and who made them. */
export type MadeLinks = { readonly links: Link[], readonly ownerIds: string[] }

export type Links = ReturnType<typeof createLinks>

type Options = {
  attachments: Pick<Attachments, 'represent'>
  rows: Pick<AttachmentRecords, 'find' | 'findAll'>
  records: LinkRecords
  signer: Signer
  /** Origin that clients reach the gateway at. */
  publicUrl: string
  now: () => Date
}

export function createLinks ({ attachments, rows, records, signer, publicUrl, now }: Options) {
  function present ({ id, attachmentId, creatorId, expiresAt, createdAt }: LinkRow, filename: string, asDownload = false): Link {
    const url = `${publicUrl}/api/links/${linkToken(signer, { id, expiresAt })}/${spelled(filename)}`
    return { id, attachmentId, url: asDownload ? `${url}?download=true` : url, creatorId, createdAt: createdAt.toISOString(), expiresAt: expiresAt.toISOString() }
  }

  async function changeable (caller: Caller, id: string): Promise<AttachmentRow> {
    const row = await rows.find(id)
    if (row === null || !mayChange(caller, row)) throw new AttachmentNotFound()
    return row
  }

  async function link (caller: Caller, all: readonly AttachmentRow[], { expiresIn, download = false }: LinkWish, alongside: (made: MadeLinks) => Alongside): Promise<MadeLinks> {
    const createdAt = now()
    const expiresAt = new Date(createdAt.getTime() + expiresIn * 1000)
    const fresh = all.map(({ id, filename }) => ({ filename, row: { id: newRecordId(), attachmentId: id, creatorId: caller.id, expiresAt, createdAt } }))
    const made = { links: fresh.map(({ row, filename }) => present(row, filename, download)), ownerIds: [...all.map(({ ownerId }) => ownerId), caller.id] }
    await records.create(fresh.map(({ row }) => row), alongside(made))
    return made
  }

  return {
    /** `alongside`: what is committed with it. @throws AttachmentNotFound also when it is not theirs to hand out; LinksExceeded */
    async create (caller: Caller, id: string, wish: LinkWish, alongside: (made: MadeLinks) => Alongside = () => nothing): Promise<MadeLinks> {
      const row = await changeable(caller, id)
      if ((await records.withAtLeast(maxLinks, [id])).length > 0) throw new LinksExceeded(maxLinks)
      return link(caller, [row], wish, alongside)
    },

    /** In the order of `ids`, each once; without those that do not exist, that are not theirs to hand out, or that have as many as there may be. */
    async createAll (caller: Caller, ids: readonly string[], wish: LinkWish, alongside: (made: MadeLinks) => Alongside = () => nothing): Promise<MadeLinks> {
      const full = new Set(await records.withAtLeast(maxLinks, ids))
      const found = new Map((await rows.findAll(ids)).filter((row) => mayChange(caller, row) && !full.has(row.id)).map((row) => [row.id, row]))
      return link(caller, [...new Set(ids)].map((id) => found.get(id)).filter((row) => row !== undefined), wish, alongside)
    },

    /** Those that stand, the newest first. @throws AttachmentNotFound */
    async list (caller: Caller, id: string): Promise<Link[]> {
      const { filename } = await changeable(caller, id)
      return (await records.of(id)).map((row) => present(row, filename))
    },

    /** @throws AttachmentNotFound; LinkNotFound when it does not stand any more */
    async revoke (caller: Caller, id: string, linkId: string): Promise<void> {
      await changeable(caller, id)
      if (!await records.revoke(linkId, id)) throw new LinkNotFound()
    },

    /** What a link shows to whoever has it. @throws LinkNotFound, the same whatever it is that makes it none */
    async open (token: string, { asDownload }: { asDownload: boolean }): Promise<Representation> {
      const claim = linkClaimed(signer, token)
      const known = claim === undefined || claim.expiresAt <= now() ? null : await records.find(claim.id)
      const row = known && await rows.find(known.attachmentId)
      if (row === null) throw new LinkNotFound()
      return { ...attachments.represent(row, asDownload), cacheControl: revalidated, isPublic: true }
    },
  }
}

/** For people who look at the address; an import may have brought names that no path can end in. */
const spelled = (filename: string): string => /^\.*$/.test(filename) ? 'file' : encodeURIComponent(filename.toWellFormed())
