// What is shown of a user who has no picture: a drawing, the same each time.
import type { UserId } from '../callers/caller.ts'
import type { Drawings } from '../images/drawings.ts'
import type { FallbackKind } from '../images/fallback/fallback.ts'
import { asksForVariant, specOf } from '../images/query.ts'
import { negotiateFormat } from '../transfer/negotiate.ts'
import type { Representation } from '../transfer/representation.ts'
import { revalidated } from './showing.ts'
import type { View } from './view.ts'

export type Fallbacks = ReturnType<typeof createFallbacks>

type Options = {
  drawings: Drawings
  /** What a user is called, where it is known here. */
  nameOf: (userId: UserId) => Promise<string | undefined>
  now: () => Date
}

export function createFallbacks ({ drawings, nameOf, now }: Options) {
  return {
    /** SVG, unless a format or a size is asked for. `name`: goes before what is known. @throws ImagesBusy */
    async draw (kind: FallbackKind, userId: UserId, { query, accept, name }: View & { name?: string | undefined }): Promise<Representation> {
      const isRaster = asksForVariant(query)
      const { size, format } = specOf(query, { kind: 'avatar', picture: { width: null, height: null, frames: 1 }, accepted: negotiateFormat(accept) })
      const drawing = await drawings.get(kind, { userId, name: kind === 'initials' ? name ?? await nameOf(userId) : undefined }, isRaster ? { size, format } : undefined)
      return { ...drawing, cacheControl: revalidated, isPublic: true, lastModified: now() }
    },
  }
}
