// Where no backup is restored to: into the backup, or into a folder of the uploads volume, where it would be a stranger.
import { realpath } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { errnoOf } from '../../storage/failures.ts'
import { Refusal } from '../refusal.ts'

/** @throws Refusal when `root` is in the backup `dir`, or below `uploadsDir`; that itself it may be */
export async function refuseInside ({ root, dir, uploadsDir }: { readonly root: string, readonly dir: string, readonly uploadsDir: string }): Promise<void> {
  const place = await realPlace(root)
  if (isWithin(place, await realPlace(dir))) throw new Refusal(`${root} is in the backup ${dir}: what is restored there would be lost with it, and is no part of it. Name a folder elsewhere with --into.`)
  const volume = await realPlace(uploadsDir)
  if (place !== volume && isWithin(place, volume)) throw new Refusal(`${root} is on the uploads volume ${uploadsDir}, which is to hold nothing but its own. Name a folder elsewhere with --into.`)
}

/** Where it is, or would be made, with every link followed. */
async function realPlace (path: string): Promise<string> {
  const whole = resolve(path)
  try {
    return await realpath(whole)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(whole) === whole) return whole
    return join(await realPlace(dirname(whole)), basename(whole))
  }
}

function isWithin (path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way !== '..' && !way.startsWith(`..${sep}`)
}
