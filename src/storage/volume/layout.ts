// Where everything is on the volume. Paths are made of kinds, ids and extensions of the gateway's own making only.
import { join } from 'node:path'
import { asBlobId, timeOf, type BlobId, type UploadId } from '../ids.ts'
import type { BlobAddress, Kind } from '../store.ts'

export const identityFile = 'upload-gateway.json'
/** Which database it belongs to. */
export const claimFile = 'database.json'
export const erasuresFile = 'erasures.ndjson'
export const tombstonesFile = 'tombstones.ndjson'
/** There while a restore is not done. */
export const restoreFile = 'restore-unfinished.json'
export const stagingFolder = 'staging'
export const cacheFolder = 'cache'
export const databaseFolder = 'database'
/** Segments of unfinished resumable uploads. */
export const resumableFolder = 'resumable'
export const kinds: readonly Kind[] = ['avatar', 'attachment']

const sidecarSuffix = '.sidecar.json'
const folderOf: Record<Kind, string> = { avatar: 'avatars', attachment: 'attachments' }

/** What may lie at the root; the last is what mkfs puts there. */
export const rootNames: ReadonlySet<string> = new Set([identityFile, claimFile, erasuresFile, tombstonesFile, restoreFile, stagingFolder, cacheFolder, databaseFolder, resumableFolder, ...Object.values(folderOf), 'lost+found'])

/** Of the volume's root, for a kind. */
export const kindFolder = (root: string, kind: Kind): string => join(root, folderOf[kind])

/** The folder of the UTC day in which the id was made. */
export function dayFolder (root: string, { kind, id }: Pick<BlobAddress, 'kind' | 'id'>): string {
  const [year = '', month = '', day = ''] = timeOf(id).toISOString().slice(0, 10).split('-')
  return join(kindFolder(root, kind), year, month, day)
}

/** Whether a path from the root is that of a year, a month or a day of uploads. */
export const isFolderOfUploads = (path: string): boolean => /^(avatars|attachments)\/\d{4}(\/\d{2}){0,2}$/.test(path)

export function blobPath (root: string, address: BlobAddress): string {
  if (!/^[a-z0-9]{1,8}$/.test(address.extension)) throw new TypeError('an extension is 1 to 8 lower-case letters or digits')
  return join(dayFolder(root, address), `${address.id}.${address.extension}`)
}

export function sidecarPath (root: string, address: Pick<BlobAddress, 'kind' | 'id'>): string {
  return join(dayFolder(root, address), address.id + sidecarSuffix)
}

/** What a file in a day folder is; undefined for a foreign one. */
export function parseName (name: string): { id: BlobId, extension: string | undefined } | undefined {
  const id = asBlobId(name.slice(0, 36))
  if (id === undefined) return undefined
  const rest = name.slice(36)
  if (rest === sidecarSuffix) return { id, extension: undefined }
  return /^\.[a-z0-9]{1,8}$/.test(rest) ? { id, extension: rest.slice(1) } : undefined
}

/** A run of bytes of a resumable upload: where it begins, and the epoch of its writer. */
export type SegmentAddress = { readonly uploadId: UploadId, readonly start: number, readonly epoch: number }

export const uploadFolder = (root: string, uploadId: UploadId): string => join(root, resumableFolder, uploadId)

export const segmentPath = (root: string, { uploadId, start, epoch }: SegmentAddress): string => join(uploadFolder(root, uploadId), `${start}-${epoch}`)

/** What was made of a blob to be shown, and can be made again. */
export const variantsFolder = (root: string, { id }: Pick<BlobAddress, 'id'>): string => join(root, cacheFolder, id.slice(-2), id)
