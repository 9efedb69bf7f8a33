// Which bytes of a picture have to go so that it no longer tells of a person, a place or a device, while no pixel is touched.
import type { PictureType } from '../types.ts'
import type { Bytes } from './bytes.ts'
import { planGif } from './gif.ts'
import { planIsobmff } from './isobmff.ts'
import { planJpeg } from './jpeg.ts'
import { planPng } from './png.ts'
import type { Plan } from './removal.ts'
import { planWebp } from './webp.ts'

export type { Edit, Kind, Plan } from './removal.ts'

/**
 * What to change in a picture of the type given. Orientation, colour profile, timing and whatever else the pixels need stay, and so does
 * what says nothing of anybody. In the file that results there is nothing left to remove.
 * @throws METADATA_UNREADABLE when its structure cannot be followed to its end
 */
export function planRemoval (bytes: Bytes, contentType: PictureType): Plan {
  switch (contentType) {
    case 'image/jpeg': return planJpeg(bytes)
    case 'image/png': return planPng(bytes)
    case 'image/webp': return planWebp(bytes)
    case 'image/gif': return planGif(bytes)
    default: return planIsobmff(bytes)
  }
}
