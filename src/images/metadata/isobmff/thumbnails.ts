// Finds the items that are of no other use than as a thumbnail of another one: the thumbnail itself, the tiles it is made of, its transparency.
import { unreadable } from '../unreadable.ts'
import type { Reference } from './references.ts'

// A thumbnail of a picture, made of tiles: more is not heard of. Each round looks at all references.
const maxRounds = 8

type Options = {
  /** Each item that is a picture. */
  readonly isPicture: (id: number) => boolean
  /** The primary item, and those that belong to a group of pictures. */
  readonly isNeeded: (id: number) => boolean
}

/**
 * ISO/IEC 23008-12, section 6.4.4: a reference of the type "thmb" leads from the thumbnail to what it is one of.
 * @throws METADATA_UNREADABLE when pictures are made of pictures too often
 */
export function findThumbnails (references: readonly Reference[], { isPicture, isNeeded }: Options): ReadonlySet<number> {
  const thumbnails = new Set(references.filter(({ type, from }) => type === 'thmb' && isPicture(from)).map(({ from }) => from))

  function addParts (): void {
    for (const { type, from, to } of references) {
      if (type === 'dimg' && thumbnails.has(from)) to.forEach((id) => thumbnails.add(id))
      if (type === 'auxl' && to.some((id) => thumbnails.has(id))) thumbnails.add(from)
    }
  }

  /** What others are made of, and what also serves others. */
  function removeNeeded (): void {
    for (const id of thumbnails) if (!isPicture(id) || isNeeded(id)) thumbnails.delete(id)
    for (const { type, from, to } of references) {
      if (type === 'auxl') {
        if (!to.every((id) => thumbnails.has(id))) thumbnails.delete(from)
      } else if (type !== 'thmb' && isPicture(from) && !thumbnails.has(from)) to.forEach((id) => thumbnails.delete(id))
    }
  }

  untilSettled(thumbnails, addParts)
  untilSettled(thumbnails, removeNeeded)
  return thumbnails
}

function untilSettled (items: ReadonlySet<number>, change: () => void): void {
  for (let round = 0; round < maxRounds; round++) {
    const before = items.size
    change()
    if (items.size === before) return
  }
  throw unreadable('pictures made of pictures made of pictures')
}
