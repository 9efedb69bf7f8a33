// Everything below an old folder, in order, without following a link: regular files, and what cannot be one with the reason.
import { isUtf8 } from 'node:buffer'
import type { Dirent } from 'node:fs'
import { readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../storage/failures.ts'
import { isWithin } from '../../storage/place.ts'
import { Refusal } from '../refusal.ts'
import type { RefusalCode } from './candidate.ts'

/** `path` is relative to the folder, with slashes. */
export type TreeEntry = { readonly path: string, readonly fault?: { readonly code: RefusalCode, readonly reason: string } }

export async function * walk (root: string, below = ''): AsyncGenerator<TreeEntry> {
  const entries = await readdir(join(root, below), { withFileTypes: true, encoding: 'buffer' }).catch((error: unknown) => errnoOf(error) ?? 'failed')
  if (typeof entries === 'string') return yield { path: below, fault: { code: 'unreadable', reason: `the folder cannot be read (${entries})` } }
  for (const entry of entries.sort((a, b) => Buffer.compare(a.name, b.name))) {
    const path = below === '' ? entry.name.toString() : `${below}/${entry.name.toString()}`
    const fault = faultOf(entry) ?? (entry.isFile() ? hiddenFault(path) : undefined)
    if (fault !== undefined) yield { path, fault }
    else if (entry.isDirectory()) yield * walk(root, path)
    else yield { path }
  }
}

function faultOf (entry: Dirent<NonSharedBuffer>): TreeEntry['fault'] {
  if (!isUtf8(entry.name)) return { code: 'bad-path', reason: 'its name is not UTF-8, and no URL can name it' }
  if (entry.isSymbolicLink()) return { code: 'symlink', reason: 'it is a symbolic link, and links are not followed' }
  return entry.isDirectory() || entry.isFile() ? undefined : { code: 'special', reason: 'it is no regular file' }
}

/** What the older systems hid, nobody is to see now. */
export const hiddenFault = (path: string): TreeEntry['fault'] => path.split('/').some((name) => name.startsWith('.'))
  ? { code: 'hidden', reason: 'its name, or that of a folder it is in, begins with a dot, and such files are not served' }
  : undefined

export async function countFiles (root: string): Promise<number> {
  let count = 0
  for await (const { path } of walk(root)) count += path === '' ? 0 : 1
  return count
}

/**
 * The real path of a folder to import from.
 * @throws Refusal when it is none, or the uploads volume lies in it or around it
 */
export async function oldFolder (folder: string, volume: string): Promise<string> {
  const root = await realpath(folder).catch(() => undefined)
  const names = root === undefined ? undefined : await readdir(root).catch((error: unknown) => errnoOf(error))
  if (root === undefined || !Array.isArray(names)) throw new Refusal(`${folder} is no folder that can be read${typeof names === 'string' ? ` (${names})` : ''}. Give the folder of the older system, mounted or copied to this machine.`)
  const real = await realpath(volume)
  if (isWithin(root, real) || isWithin(real, root)) throw new Refusal(`${folder} and the uploads volume ${volume} lie in one another. Give the folder of the older system.`)
  return root
}
