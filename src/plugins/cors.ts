// Which web origins may call the API from a browser, and what of an answer their scripts may see.
import corsHeaders from '@fastify/cors'
import fastifyPlugin from 'fastify-plugin'

/** Response headers that clients need and that browsers hide from scripts unless they are named. */
const exposedHeaders = [
  'Accept-Ranges', 'Allow', 'Content-Digest', 'Content-Disposition', 'Content-Length', 'Content-Range', 'ETag', 'Idempotency-Replayed', 'Last-Modified', 'Location',
  'RateLimit', 'RateLimit-Policy', 'Repr-Digest', 'Retry-After', 'Tus-Checksum-Algorithm', 'Tus-Extension', 'Tus-Max-Size', 'Tus-Resumable', 'Tus-Version',
  'Upload-Concat', 'Upload-Defer-Length', 'Upload-Expires', 'Upload-Length', 'Upload-Metadata', 'Upload-Offset', 'Upload-Result', 'WWW-Authenticate', 'X-Request-Id',
]

/** Seconds; Chromium takes no more. */
const preflightMaxAge = 7200

export type CorsOptions = {
  /** Such as `https://app.example`; `*` for all; none: browsers of other origins are refused. */
  readonly corsOrigins: readonly string[]
}

/** Before methods.ts, which answers the preflights this plugin has put its headers on. */
export const cors = fastifyPlugin(async (app, { corsOrigins }: CorsOptions) => {
  if (corsOrigins.length === 0) return
  const isForAll = corsOrigins.includes('*')
  await app.register(corsHeaders, {
    origin: isForAll ? '*' : [...corsOrigins],
    // Cookies only for the origins named: with * any site could act with the user's cookie.
    credentials: !isForAll,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders,
    maxAge: preflightMaxAge,
    preflightContinue: true,
    strictPreflight: false,
  })
}, { name: 'cors', fastify: '5.x' })
