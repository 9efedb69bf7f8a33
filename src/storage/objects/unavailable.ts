// What no object store says of itself: that it could not do it, or was not reached at all.
import { ObjectsUnavailable } from './objects.ts'

/** Of the system, and of time that ran out. */
const unreached = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET', 'EPIPE'])

/** `name`: of the store, with where it is; `setting`: what says that. */
export function unavailable (name: string, setting: string, error: unknown): ObjectsUnavailable {
  const { code, message } = (error instanceof Error ? error : { message: String(error) }) as { code?: unknown, message: string }
  if (!unreached.has(String(code))) return new ObjectsUnavailable(`${name} failed: ${message}`, { cause: error })
  // Of several addresses none answered: that error has no message of its own.
  const reason = message === '' ? String(code) : message
  return new ObjectsUnavailable(`${name} cannot be reached (${reason}): see that it runs and is reachable from here, and that ${setting} says where it is`, { cause: error })
}
