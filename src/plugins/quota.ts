// The part of an owner's quota that an upload under way holds: set aside before its body is read, given back with its answer. Counts nothing itself.
import type { FastifyReply, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { actsForOthers, ownerNamed, type UserId } from '../callers/caller.ts'
import type { CallerLimits } from '../config.ts'
import { nothing, together, type Alongside } from '../records/commits.ts'
import type { LimitsFor, Quota } from '../records/quota.ts'
import { callerOf } from './auth.ts'
import { ownerInHeader } from './owner.ts'

/** The header and boundary of one part of a form; a file that just fits is not refused for them. */
const framingBytes = 1024

declare module 'fastify' {
  interface FastifyInstance {
    quota: Quota
  }
  interface FastifyRequest {
    /** Gives back what this upload holds; null when that is nothing. */
    releaseQuota: (() => void) | null
  }
}

/** The owner's limits hold, whoever uploads; but a caller with a quota in CALLER_OVERRIDES, such as a service, has that for whomever it acts. */
export function quotaLimits (callerLimits: (id: string) => CallerLimits): LimitsFor {
  // No caller has an empty id.
  const usual = callerLimits('')
  return (callerId, ownerId) => {
    const caller = callerLimits(callerId)
    const owner = callerLimits(ownerId)
    return {
      quotaBytes: caller.quotaBytes === usual.quotaBytes ? owner.quotaBytes : caller.quotaBytes,
      quotaFiles: caller.quotaFiles === usual.quotaFiles ? owner.quotaFiles : caller.quotaFiles,
    }
  }
}

export const quotas = fastifyPlugin(async (app, { quota }: { quota: Quota }) => {
  app.decorate('quota', quota)
  app.decorateRequest('releaseQuota', null)
  // Before the client knows: what was kept is counted by now, and would count twice for its next request.
  app.addHook('onSend', async ({ releaseQuota }) => { releaseQuota?.() })
}, { name: 'quotas', fastify: '5.x' })

/**
 * onRequest, the last one before the body is read, once the caller is known: what is declared fits into what the owner may keep.
 * An upload without a token is nobody's yet. @throws QuotaExceeded, OwnerForbidden
 */
export function reserveQuota ({ maxFiles, isAvatar = false }: { maxFiles: number, isAvatar?: boolean }): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async function reserveForUpload (request, { raw: response }) {
    if (request.caller === null) return
    const ownerId = ownerOf(request, isAvatar)
    // The form may name whom it is for, and it is found out when its files are committed.
    if (ownerId === undefined) return
    const release = await request.server.quota.reserve({ callerId: request.caller.id, ownerId, bytes: declaredBytes(request, maxFiles), files: 1, isAvatar })
    request.releaseQuota = release
    // A client that left meanwhile has had its 'close' already.
    if (response.closed) release()
    else response.once('close', release)
  }
}

/** What is committed with the files of a route behind reserveQuota: that these owners may have them, and `others`. */
export function settleQuota ({ caller, server }: FastifyRequest, ownerIds: readonly string[], ...others: Alongside[]): Alongside {
  const settling = caller === null ? nothing : server.quota.settling({ callerId: caller.id, ownerIds })
  return together([settling, ...others])
}

/** Whom address, query or header name, or else the caller; undefined when a form may still name another. */
function ownerOf (request: FastifyRequest, isAvatar: boolean): UserId | undefined {
  const { ownerId } = request.query as { ownerId?: unknown }
  const { userId = isAvatar || typeof ownerId !== 'string' ? undefined : ownerId } = request.params as { userId?: string }
  if (userId !== undefined) return ownerNamed(callerOf(request), userId)
  const mayBeNamed = !isAvatar && request.headers['x-owner-id'] === undefined && isMultipart(request) && actsForOthers(callerOf(request))
  return mayBeNamed ? undefined : ownerInHeader(request)
}

const isMultipart = ({ headers }: FastifyRequest): boolean => /^\s*multipart\/form-data\b/i.test(headers['content-type'] ?? '')

/** An upload that does not say how long it is holds one byte: where there is no room at all, it is told so at once. */
function declaredBytes (request: FastifyRequest, maxFiles: number): number {
  const declared = request.headers['content-length']
  if (declared === undefined) return 1
  return isMultipart(request) ? Math.max(0, Number(declared) - framingBytes * maxFiles) : Number(declared)
}
