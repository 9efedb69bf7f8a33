// Which picture format an Accept header asks for (RFC 9110 section 12.5.1). That the answer depends on it is said by vary.ts.
import { Negotiator } from 'negotiator'

/** `auto`: whatever any client can show. */
export type NegotiatedFormat = 'avif' | 'webp' | 'auto'

/** Smallest files first: of what a client can show, the choice is ours (section 12.1), and browsers list them in any order. */
const offered = ['avif', 'webp'] as const

/**
 * Only a format that the header names, with a q over 0: old clients, mail readers and curl say that they take everything, and mean
 * what they know. Never fails: whoever rules out all of them gets `auto` all the same.
 */
export function negotiateFormat (accept: string | undefined): NegotiatedFormat {
  const named = namedIn(accept)
  return offered.find((format) => named.includes(`image/${format}`)) ?? 'auto'
}

/** Whether the header names types of pictures, and this one is not among them: as browsers do, and curl does not. */
export function namesOtherPictures (accept: string | undefined, contentType: string): boolean {
  const pictures = namedIn(accept).filter((range) => /^image\/[^*]/.test(range))
  return pictures.length > 0 && !pictures.includes(contentType)
}

function namedIn (accept: string | undefined): string[] {
  return new Negotiator({ headers: { accept } }).mediaTypes().map((range) => range.toLowerCase())
}
