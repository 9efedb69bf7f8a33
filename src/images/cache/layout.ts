// Where a variant lies in the cache folder. Paths are made of blob ids and names of the gateway's own making only.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { asBlobId, type BlobId } from '../../storage/ids.ts'

/** Of one blob, under the name that says which variant it is. */
export type Place = { readonly blobId: BlobId, readonly name: string }

/** Larger ones are not kept, and what is larger was not put there by a gateway. Header and all, in bytes. */
export const maxEntryBytes = 32 * 1024 ** 2

const namePattern = /^[a-z0-9][a-z0-9.-]{0,99}$/

/** @throws TypeError for a name of another form than lower-case letters, digits, "-" and "." */
export function placeOf (blobId: BlobId, name: string): Place {
  if (!namePattern.test(name)) throw new TypeError('a variant is named by up to 100 lower-case letters, digits, "-" and "."')
  return { blobId, name }
}

/** What is in the header of its file too: under another name the file is not the one that is meant. */
export const keyOf = ({ blobId, name }: Place): string => `${blobId}/${name}`

/** Named by the end of the id, which is random; its beginning is the time. */
export const shardFolder = (folder: string, blobId: BlobId): string => join(folder, blobId.slice(-2))
export const blobFolder = (folder: string, blobId: BlobId): string => join(shardFolder(folder, blobId), blobId)
export const entryPath = (folder: string, { blobId, name }: Place): string => join(blobFolder(folder, blobId), name)

export const isShard = (name: string): boolean => /^[0-9a-f]{2}$/.test(name)

export const isBlobFolder = (shard: string, name: string): boolean => asBlobId(name) !== undefined && name.endsWith(shard)

/** The place of a file with this name in such a folder; undefined for one that no gateway made. */
export function parsePlace (folderName: string, name: string): Place | undefined {
  const blobId = asBlobId(folderName)
  return blobId !== undefined && namePattern.test(name) ? { blobId, name } : undefined
}

/** Begins with the id, so that what a killed process left of a blob can be found. */
export const temporaryPath = (folder: string, blobId: BlobId): string => join(folder, `${blobId}.${randomUUID()}.part`)

/** Whether it is such a file, of `blobId` or of any. */
export const isTemporary = (name: string, blobId?: BlobId): boolean =>
  name.endsWith('.part') && name.length === 78 && asBlobId(name.slice(0, 36)) !== undefined && name.startsWith(blobId ?? '')
