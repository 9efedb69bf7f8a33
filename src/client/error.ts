// What goes wrong, as one kind of error that is told apart by its code. What is tried again is patience.ts.
import type { components } from './api.ts'

type Problem = components['schemas']['Problem']

/** The codes of the gateway, and two of the client's own: no answer came, and an answer that is none of the gateway's. */
export type ErrorCode = Problem['code'] | 'NETWORK_FAILED' | 'ANSWER_UNKNOWN'

export type FieldError = NonNullable<Problem['errors']>[number]

export class UploadGatewayError extends Error {
  override readonly name = 'UploadGatewayError'
  readonly code: ErrorCode
  /** Of HTTP; 0 when no answer came. */
  readonly status: number
  /** Finds the request in the gateway's log. */
  readonly requestId: string | undefined
  /** When the gateway says that the same request may succeed later. */
  readonly retryAfterSeconds: number | undefined
  /** What is wrong with which field, where the code is about fields. */
  readonly fields: readonly FieldError[]
  /** Where it is, when what was asked for is there but not done. */
  readonly location: string | undefined

  constructor (message: string, { code, status, requestId, retryAfterSeconds, fields = [], location, cause }: { code: ErrorCode, status: number, requestId?: string | undefined, retryAfterSeconds?: number | undefined, fields?: readonly FieldError[] | undefined, location?: string | undefined, cause?: unknown }) {
    super(message, { cause })
    this.code = code
    this.status = status
    this.requestId = requestId
    this.retryAfterSeconds = retryAfterSeconds
    this.fields = fields
    this.location = location
  }
}

/** Browsers do not tell a page of another origin that is not let in from a connection that failed. */
export function networkFailed (cause: unknown): UploadGatewayError {
  const origin = (globalThis as { location?: { readonly origin?: string } }).location?.origin
  const orRefused = origin === undefined ? '' : ` Or the origin of this page, ${origin}, is another than the gateway's and not in its CORS_ORIGINS.`
  return new UploadGatewayError(`The gateway did not answer: the connection failed or stood still.${orRefused}`, { code: 'NETWORK_FAILED', status: 0, cause })
}

/** The error that an answer without success stands for. Reads its body. */
export async function failureOf (response: Response, now = Date.now()): Promise<UploadGatewayError> {
  const { status, headers } = response
  const problem = problemIn(await response.text().catch(() => ''))
  return new UploadGatewayError(problem?.detail || `The gateway answered ${status}.`, {
    code: problem?.code ?? 'ANSWER_UNKNOWN',
    status,
    requestId: problem?.requestId ?? headers.get('X-Request-Id') ?? undefined,
    retryAfterSeconds: secondsUntil(headers.get('Retry-After'), now),
    fields: problem?.errors,
    location: headers.get('Location') ?? undefined,
  })
}

/** A proxy in between answers with pages of its own; tus answers HEAD without a body. */
function problemIn (text: string): Problem | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && 'code' in value ? value as Problem : undefined
  } catch {
    return undefined
  }
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function secondsUntil (text: string | null, now: number): number | undefined {
  if (text === null) return undefined
  if (/^\d+$/.test(text)) return Number(text)
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - now) / 1000))
}
