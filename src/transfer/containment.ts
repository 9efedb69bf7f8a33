// The headers that keep hostile bytes harmless when a browser opens them on the gateway's own origin.
import { essenceOf } from './media-type.ts'
import type { Representation } from './representation.ts'

const nothing = "default-src 'none'; style-src 'unsafe-inline'"

/**
 * Tried in Chromium 156 on files opened directly. Pictures and text show under a full sandbox. Audio and video stay black
 * there: the player fetches the file again, from an opaque origin, without cookies; allow-same-origin mends that and
 * without allow-scripts gives the file nothing to run. PDF does show under a full sandbox in Chromium, page and frame alike, but Safari
 * shows an empty window (adobe/aem-core-wcm-components issue 2839), so PDF has none: its scripts live in the viewer, not in our origin.
 */
function contentSecurityPolicy (contentType: string): string {
  const essence = essenceOf(contentType)
  if (essence === 'application/pdf') return nothing
  if (/^(?:audio|video)\//.test(essence)) return `${nothing}; media-src 'self'; sandbox allow-same-origin`
  return `${nothing}; sandbox`
}

/** Sent with the bytes and with every 304, so that what a cache keeps follows a change of visibility. */
export function containment ({ contentType, isPublic }: Pick<Representation, 'contentType' | 'isPublic'>): Record<string, string> {
  return {
    'x-content-type-options': 'nosniff',
    'content-security-policy': contentSecurityPolicy(contentType),
    'cross-origin-resource-policy': isPublic ? 'cross-origin' : 'same-site',
    // The address may be a signed link, and a PDF may lead elsewhere.
    'referrer-policy': 'no-referrer',
  }
}
