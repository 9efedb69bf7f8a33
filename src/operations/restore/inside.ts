// Where no backup is restored to: into the backup, or into a folder of the uploads volume, where it would be a stranger.
import { isWithin, realPlace } from '../../storage/place.ts'
import { Refusal } from '../refusal.ts'

/** @throws Refusal when `root` is in the backup `dir`, or below `uploadsDir`; that itself it may be */
export async function refuseInside ({ root, dir, uploadsDir }: { readonly root: string, readonly dir: string, readonly uploadsDir: string }): Promise<void> {
  const place = await realPlace(root)
  if (isWithin(await realPlace(dir), place)) throw new Refusal(`${root} is in the backup ${dir}: what is restored there would be lost with it, and is no part of it. Name a folder elsewhere with --into.`)
  const volume = await realPlace(uploadsDir)
  if (place !== volume && isWithin(volume, place)) throw new Refusal(`${root} is on the uploads volume ${uploadsDir}, which is to hold nothing but its own. Name a folder elsewhere with --into.`)
}
