// Why a resumable upload came to nothing, as its row keeps it, and as the same error again for whoever asks later; or why it has to wait.
import { InternalError, ResumableFinishing, withHeaders } from '../errors.ts'
import type { Failure } from './records.ts'

/** The code and status of errors.ts that an error has, if any. */
export function failureOf (error: unknown): Failure {
  const { code, statusCode, message } = error as { code?: unknown, statusCode?: unknown, message: string }
  if (typeof code === 'string' && typeof statusCode === 'number') return { code, status: statusCode, detail: message }
  return failureOf(new InternalError({ cause: error }))
}

/** Asking for it again would change nothing. */
export const isPermanent = ({ status }: Failure): boolean => status >= 400 && status < 500

export function failureError ({ code, status, detail }: Failure): Error {
  return Object.assign(new Error(detail), { code, statusCode: status })
}

/** Seconds until one should ask again where the cause does not say. */
const askAgain = '5'

/** All bytes are there, and what became of them is not known yet: a 5xx would have tus clients begin anew. `why`: a clause, or what went wrong. */
export function notYet (why: unknown): Error {
  const { 'Retry-After': seconds = askAgain } = (why as { headers?: Record<string, string> }).headers ?? {}
  return withHeaders(new ResumableFinishing(typeof why === 'string' ? why : failureOf(why).code, { cause: why }), { 'Retry-After': seconds })
}
