// System R's users: the picture in their row, else the file behind the address in it. Two columns, one picture.
import { asUserId, type UserId } from '../../callers/caller.ts'
import { isPlainPath } from '../../storage/old-folder.ts'
import { decodeBase64 } from './base64.ts'
import { tooLarge, Unimportable, type Candidate, type Found, type Reader, type Refused } from './candidate.ts'
import { datedBy } from './old-date.ts'
import { pathInUrl } from './old-url.ts'
import type { UserRow, UserTable } from './postgres.ts'
import { typeOf, readSource } from './reading.ts'
import { hiddenFault } from './tree.ts'
import { dateOfFile, readerOf } from './tree-file.ts'
import { shown } from './user-list.ts'

export type SystemR = {
  readonly table: UserTable
  readonly tableName: string
  /** A real path: the folder whose uploads/avatars was served. */
  readonly publicDir?: string | undefined
  readonly now: () => Date
}

const avatarsPath = '/uploads/avatars/'

/** Base64 of a picture and its line ends: beyond that it is not even fetched. */
const mostPerByte = 1.5

/** Characters: beyond that it is not looked at whether they say anything. */
const mostOfNothing = 256

export function systemR (options: SystemR): Reader {
  async function * found (): AsyncGenerator<Found> {
    let before: string | null = null
    for await (const row of options.table.rows()) {
      const isTwice: boolean = row.id !== null && row.id === before
      before = row.id
      yield isTwice ? { source: sourceOf(options, row), code: 'bad-entry', reason: 'there is a second user with this id; is --id-column right?' } : await foundIn(options, row)
    }
  }
  return { count: () => options.table.count(), found }
}

/** A table of the default schema goes by its name alone, however it was named. */
const sourceOf = ({ tableName }: SystemR, { id }: UserRow): string => `system-r:${tableName.replace(/^public\./, '')}/${id ?? ''}`

async function foundIn (options: SystemR, row: UserRow): Promise<Found> {
  const source = sourceOf(options, row)
  const ownerId = asUserId(row.id)
  if (ownerId === undefined) return { source, code: 'bad-owner', reason: `${shown(row.id)} can be no user's id here: it must be 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me"` }
  const oldPath = oldPathIn(row.url)
  const { dataBytes } = row
  return dataBytes === null || await isEmpty(options, row, dataBytes) ? fileOf(options, row, source, ownerId, oldPath) : dataOf(options, row, dataBytes, source, ownerId, oldPath)
}

/** Blanks, or what a client made of no value, with an address beside it. */
async function isEmpty ({ table }: SystemR, { id, url }: UserRow, dataBytes: number): Promise<boolean> {
  if (dataBytes > mostOfNothing || url === null || url === '') return false
  const data = await table.data(id ?? '')
  return typeof data === 'string' && /^\s*(?:null|undefined)?\s*$/i.test(data)
}

const common = { kind: 'avatar', isOwnerless: false, visibility: null, filename: undefined, contextType: null, contextId: null } as const

/** Its old address, if it has one, leads to it as well. */
function dataOf ({ table, publicDir, now }: SystemR, { id, type, url, date }: UserRow, dataBytes: number, source: string, ownerId: UserId, oldPath: string | undefined): Candidate {
  const { notes, ...dated } = datedBy({ said: date, path: oldPath ?? '', mtime: undefined, now: now() })
  return {
    ...common, ...dated, source, ownerId,
    paths: oldPath === undefined ? [] : [oldPath],
    notes: [...notes, ...url === null || url === '' || oldPath !== undefined ? [] : [`its address ${shown(url)} is not below ${avatarsPath} and is not kept`]],
    declaredType: type ?? undefined,
    async * read (maxBytes) {
      if (dataBytes > maxBytes * mostPerByte + 1024) throw tooLarge(maxBytes)
      const data = await table.data(id ?? '')
      if (data === null) throw new Unimportable('changing', 'it changed while it was read')
      const picture = typeof data === 'string' ? await decoded(data, publicDir, oldPath, maxBytes) : data
      if (picture.length > maxBytes) throw tooLarge(maxBytes, picture.length)
      yield picture
    },
  }
}

/** @throws Unimportable, which says so when there is a picture behind the old address instead */
async function decoded (data: string, publicDir: string | undefined, oldPath: string | undefined, maxBytes: number): Promise<Buffer> {
  try {
    return decodeBase64(data)
  } catch (error) {
    if (!(error instanceof Unimportable) || publicDir === undefined || oldPath === undefined || !await isPicture(publicDir, oldPath.slice(1), maxBytes)) throw error
    throw new Unimportable(error.code, `${error.message}; there is a picture behind its address ${shown(oldPath)}, which is taken when the data is empty`, { cause: error })
  }
}

/** For a hint only: whatever is wrong with it, it is none. */
async function isPicture (publicDir: string, path: string, maxBytes: number): Promise<boolean> {
  if (hiddenFault(path) !== undefined) return false
  const kind = 'avatar'
  return readSource({ kind, read: readerOf(publicDir, path) }, { avatarMaxBytes: maxBytes, attachmentMaxBytes: maxBytes })
    .then(({ head }) => typeOf({ kind, declaredType: undefined }, head)).then(() => true, () => false)
}

async function fileOf ({ publicDir, now }: SystemR, { type, url, date }: UserRow, source: string, ownerId: UserId, oldPath: string | undefined): Promise<Found> {
  const refused = (code: Refused['code'], reason: string): Refused => ({ source, kind: 'avatar', ownerId, ...(oldPath !== undefined && { paths: [oldPath] }), code, reason })
  if (oldPath === undefined) return refused('elsewhere', `there is no avatar data, and the address ${shown(url)} is no file below ${avatarsPath}`)
  if (publicDir === undefined) return refused('not-named', `there is no avatar data, and for the file behind ${shown(url)} --public-dir is needed`)
  const path = oldPath.slice(1)
  const hidden = hiddenFault(path)
  if (hidden !== undefined) return refused(hidden.code, hidden.reason)
  return {
    ...common, source, ownerId, paths: [oldPath],
    ...await dateOfFile(publicDir, path, oldPath, now(), date),
    declaredType: type ?? undefined,
    read: readerOf(publicDir, path),
  }
}

/** `/uploads/avatars/<file>`, on whatever host, also with the /api that System R's clients put before it. */
function oldPathIn (url: string | null): string | undefined {
  const path = pathInUrl(url ?? '')?.replace(/^\/api(?=\/uploads\/avatars\/)/, '')
  return path?.startsWith(avatarsPath) === true && isPlainPath(path.slice(avatarsPath.length)) ? path : undefined
}
