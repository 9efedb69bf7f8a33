// What an error of the Azure SDK means, wrapped once; and how long a call may take.
import { ObjectMissing, ObjectsFull, ObjectsRefused, ObjectTaken, type Key } from '../objects.ts'
import type { Settings } from '../settings.ts'
import { createTelling } from '../telling.ts'
import { unavailable } from '../unavailable.ts'

type Told = { readonly code: string, readonly status: number }

/** What the service says went wrong, and the status of its answer: 0 without one. */
export function told (error: unknown): Told {
  if (!(error instanceof Error)) return { code: '', status: 0 }
  const { code = '', statusCode = 0 } = error as Error & { code?: string, statusCode?: number }
  return { code: code === '' ? error.name : code, status: statusCode }
}

const identityErrors = new Set(['CredentialUnavailableError', 'AuthenticationError', 'AggregateAuthenticationError', 'AuthenticationRequiredError'])
const absences = new Set(['ContainerNotFound', 'ContainerBeingDeleted', 'ContainerDisabled'])

export type Failures = ReturnType<typeof createFailures>

export function createFailures (container: string, name: string, settings: Settings) {
  function meaning (error: unknown, key: Key): Error {
    if (error instanceof ObjectTaken) return error
    const { code, status } = told(error)
    if (identityErrors.has(code)) return new ObjectsRefused('No credentials of Azure were found: set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY, or give this machine an identity.', { cause: error })
    if (absences.has(code)) return new ObjectsRefused(`There is no container ${container} (${name}): make it, or correct ${settings.url} and ${settings.endpoint}.`, { cause: error })
    if (status === 401 || status === 403) return new ObjectsRefused(`${name} does not open to us (${code}): check the key, or give our identity the role Storage Blob Data Contributor on the container ${container}.`, { cause: error })
    if (status === 507) return new ObjectsFull(`${name} takes no more bytes (${code})`, { cause: error })
    if (status === 416) return new RangeError(`${key} is not that long`, { cause: error })
    if (status === 404) return new ObjectMissing(key, { cause: error })
    if (status === 409 || status === 412) return new ObjectTaken(key, { cause: error })
    return unavailable(name, settings.endpoint, error)
  }

  return { meaning, telling: createTelling(meaning) }
}

/** Awaits a call that takes a signal; it may take `ms`. What is streamed from its answer afterwards may take longer. */
export async function within<T> (ms: number, outer: AbortSignal | undefined, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(), ms)
  try {
    return await call(outer === undefined ? deadline.signal : AbortSignal.any([outer, deadline.signal]))
  } catch (error) {
    if (deadline.signal.aborted && outer?.aborted !== true) throw Object.assign(new Error(`no answer within ${ms} ms`, { cause: error }), { code: 'ETIMEDOUT' })
    throw error
  } finally {
    clearTimeout(timer)
  }
}
