// Which paths are objects, and under which keys; every other path stays with the file system of this machine. Touches neither.
import { normalize, relative, sep } from 'node:path'
import type { IsOwn } from '../volume/own-files.ts'
import { cacheFolder, databaseFolder, isFolderOfUploads, parseName, resumableFolder, stagingFolder } from '../volume/layout.ts'
import type { Key } from './objects.ts'

/** Of a process in its staging folder, for all who use the store to see. */
export const heartbeatKey = /^staging\/[^/]+\/heartbeat\.json$/

export type Place =
  | { readonly is: 'local' }
  /** UPLOADS_DIR itself, which is on both sides. */
  | { readonly is: 'root' }
  /** The folder of heartbeats, or of one process: on both sides too. */
  | { readonly is: 'staging', readonly key: Key }
  | { readonly is: 'object', readonly key: Key }

type PlaceOf = (path: string) => Place

const local: Place = { is: 'local' }
const localFolders: ReadonlySet<string> = new Set([cacheFolder, databaseFolder])

/** `roots`: all names of UPLOADS_DIR. `isOwn`: what settings put there is a file of this machine. */
export function createPlaces (roots: readonly string[], isOwn: IsOwn): PlaceOf {
  return (given) => {
    const path = normalize(given)
    const root = roots.find((one) => path === one || path.startsWith(one + sep))
    if (root === undefined) return local
    const key = relative(root, path)
    if (key === '') return { is: 'root' }
    const [first = '', ...rest] = key.split(sep)
    if (first === stagingFolder) return placeInStaging(key, rest.length)
    return localFolders.has(first) || isOwn(key) ? local : { is: 'object', key }
  }
}

function placeInStaging (key: Key, depth: number): Place {
  if (depth < 2) return { is: 'staging', key }
  return heartbeatKey.test(key) ? { is: 'object', key } : local
}

/** I3: what is under the name of a blob is never replaced. */
export function isBlobKey (key: Key): boolean {
  const at = key.lastIndexOf('/')
  return isFolderOfUploads(key.slice(0, at)) && parseName(key.slice(at + 1))?.extension !== undefined
}

/** What only gateways read, whole and at once: sidecars, heartbeats, probes. No slow reader is to keep it from them. */
export function isOurs (key: Key): boolean {
  const name = parseName(key.slice(key.lastIndexOf('/') + 1))
  return key.startsWith(`${stagingFolder}/`) || (name !== undefined && name.extension === undefined)
}

/** Folders of the layout are always there: a store has none, and needs none. */
export const isFolderKey = (key: Key): boolean => key === resumableFolder || key === 'avatars' || key === 'attachments' || isFolderOfUploads(key) || /^resumable\/[^/]+$/.test(key)

/** What every key below a folder begins with. */
export const below = (key: Key): string => key === '' ? '' : `${key}/`
