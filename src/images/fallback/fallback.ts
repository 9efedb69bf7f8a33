// The picture of a user who has none: initials or an identicon, as SVG made here. What serves it, and in which format, is not decided here.
import { identiconSvg } from './identicon.ts'
import { initialsSvg } from './initials.ts'

/** Part of the entity tag: another number whenever the same user and name give another picture. */
export const generatorVersion = 1

export type FallbackKind = 'initials' | 'identicon'

/**
 * The same for the same user and name: an SVG of 100 by 100 units in shapes alone, without a word of either in it. An identicon where the
 * name has no letter we can draw.
 */
export async function fallbackSvg (kind: FallbackKind, { userId, name = '' }: { userId: string, name?: string | undefined }): Promise<string> {
  const initials = kind === 'initials' ? await initialsSvg({ name, seed: userId }) : undefined
  return initials ?? identiconSvg(userId)
}
