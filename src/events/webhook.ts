// One event as one signed request, as Standard Webhooks has it (standardwebhooks.com), and what the answer to it means.
import { Webhook } from 'standardwebhooks'
import { version } from '../version.ts'

/** `retryAfterMs`: what the receiver asked for. */
export type Outcome = { readonly isTaken: true } | { readonly isTaken: false, readonly reason: string, readonly retryAfterMs?: number }

export type Send = (event: { readonly id: string, readonly payload: string }) => Promise<Outcome>

type Options = {
  url: string
  /** Each as whsec_ and base64; the receiver has one of them. */
  secrets: readonly string[]
  now: () => Date
  /** For the whole of it, name look-up and answer included. */
  deadlineMs?: number
}

/** Of what a receiver answers; more of it is not read. */
const maxAnswerBytes = 64 * 1024

export function createWebhook ({ url, secrets, now, deadlineMs = 10_000 }: Options): Send {
  const signers = secrets.map((secret) => new Webhook(secret))
  const { address, authorization } = addressOf(url)

  return async ({ id, payload }) => {
    const at = now()
    const headers = {
      ...authorization,
      'content-type': 'application/json',
      'user-agent': `upload-gateway/${version}`,
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': signers.map((signer) => signer.sign(id, at, payload)).join(' '),
    }
    try {
      // What is signed for one address is not for whoever that one points at.
      const response = await fetch(address, { method: 'POST', body: payload, headers, redirect: 'manual', signal: AbortSignal.timeout(deadlineMs) })
      // The status says it all: an answer that breaks off after that was an answer.
      await readAway(response).catch(() => {})
      return outcomeOf(response, at)
    } catch (error) {
      return { isTaken: false, reason: reasonOf(error, deadlineMs) }
    }
  }
}

/** fetch takes no URL with a name and a password in it. */
function addressOf (text: string): { address: string, authorization: Record<string, string> } {
  const url = new URL(text)
  const { username, password } = url
  if (username === '' && password === '') return { address: text, authorization: {} }
  url.username = ''
  url.password = ''
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { address: url.href, authorization: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` } }
}

/** So that the next event goes over the same connection, unless the receiver has too much to say. */
async function readAway ({ body }: Response): Promise<void> {
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maxAnswerBytes) return
  }
}

function outcomeOf ({ ok, status, headers }: Response, at: Date): Outcome {
  if (ok) return { isTaken: true }
  const retryAfterMs = waitIn(headers.get('retry-after') ?? '', at)
  return { isTaken: false, reason: `it answered ${status}`, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

/** Retry-After (RFC 9110 section 10.2.3): seconds, or a date. Undefined for anything else. */
function waitIn (text: string, at: Date): number | undefined {
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  const date = /GMT$/.test(text) ? Date.parse(text) : NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - at.getTime())
}

function reasonOf (error: unknown, deadlineMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `it did not answer within ${deadlineMs / 1000} seconds`
  const { code } = ((error as Error).cause ?? {}) as { code?: unknown }
  return `it cannot be reached (${typeof code === 'string' ? code : 'no connection'})`
}
