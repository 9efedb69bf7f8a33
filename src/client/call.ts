// One call to the gateway: its address, the caller's token, and what an answer without success means.
import { failureOf, networkFailed, UploadGatewayError } from './error.ts'
import { patiently, type Pace } from './patience.ts'
import type { Transport } from './transport.ts'

/** `isRefused`: the gateway did not take the token given before, so that one from a cache will not do. */
export type GetToken = (reason: { readonly isRefused: boolean }) => string | undefined | Promise<string | undefined>

export type Query = Readonly<Record<string, string | number | boolean | undefined>>

export type Question = {
  readonly query?: Query | undefined
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly json?: unknown
  readonly body?: Blob | FormData
  readonly bytes?: number
  readonly signal?: AbortSignal | undefined
  readonly onSent?: ((bytes: number) => void) | undefined
  readonly hasCookies?: boolean
}

export type Call = {
  address: (path: string, query?: Query) => string
  /** Asks once, or twice where the token is refused and there is another. @throws UploadGatewayError for every answer but 2xx */
  once: (method: string, path: string, question?: Question) => Promise<Response>
  /** Asks again where that may help. @throws UploadGatewayError */
  ask: (method: string, path: string, question?: Question) => Promise<Response>
  /** The same, for its JSON. */
  json: <T>(method: string, path: string, question?: Question) => Promise<T>
  /** Deletes; what is gone when it is tried again is gone by the first try. */
  gone: (path: string, question?: Question) => Promise<void>
}

export type CallOptions = {
  /** Without a slash at the end; empty in a page of the gateway's own origin. */
  readonly baseUrl: string
  readonly getToken: GetToken
  readonly transport: Transport
  readonly pace: Pace
}

export function createCall ({ baseUrl, getToken, transport, pace }: CallOptions): Call {
  let refused: string | undefined
  const base = baseUrl.replace(/\/+$/, '')
  const address = (path: string, query: Query = {}) => {
    const given = Object.entries(query).flatMap(([name, value]): Array<[string, string]> => value === undefined ? [] : [[name, String(value)]])
    return base + path + (given.length === 0 ? '' : `?${new URLSearchParams(given)}`)
  }

  async function once (method: string, path: string, { query, headers = {}, json, body, ...rest }: Question = {}): Promise<Response> {
    const send = (token: string | undefined) => transport({
      url: address(path, query),
      method,
      headers: only({ ...headers, ...(json !== undefined && { 'Content-Type': 'application/json' }), ...(token !== undefined && { Authorization: `Bearer ${token}` }) }),
      body: json === undefined ? body : JSON.stringify(json),
      ...rest,
    })
    const token = await currentToken()
    const first = await send(token)
    const response = first.status === 401 ? await withAnother(token, send) ?? first : first
    if (!response.ok) throw await failureOf(response)
    return response
  }

  /** A cache that still gives what was refused would have every body sent twice. */
  async function currentToken (): Promise<string | undefined> {
    const token = await getToken({ isRefused: false })
    return token !== undefined && token === refused ? getToken({ isRefused: true }) : token
  }

  /** Nothing where there is no other token, so that it is not tried for ever. */
  async function withAnother (before: string | undefined, send: (token: string) => Promise<Response>): Promise<Response | undefined> {
    refused = before
    const token = await getToken({ isRefused: true })
    return token === undefined || token === before ? undefined : send(token)
  }

  const ask: Call['ask'] = (method, path, question = {}) => patiently({ ...pace, signal: question.signal }, () => once(method, path, question))

  return {
    address,
    once,
    ask,
    json: <T>(method: string, path: string, question: Question = {}) => patiently({ ...pace, signal: question.signal }, async () => jsonOf<T>(await once(method, path, question))),
    gone: (path, question = {}) => patiently({ ...pace, signal: question.signal }, async (isAgain) => {
      await once('DELETE', path, question).catch((error: unknown) => { if (!(isAgain && error instanceof UploadGatewayError && error.status === 404)) throw error })
    }),
  }
}

/** @throws UploadGatewayError NETWORK_FAILED when the answer breaks off */
export async function jsonOf<T> (response: Response): Promise<T> {
  return await response.json().catch((error: unknown) => { throw networkFailed(error) }) as T
}

function only (headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** One for each effect: sent again with the same, a request has it once. */
export function newKey (): string {
  // Pages that are not served securely have no randomUUID.
  return globalThis.crypto.randomUUID?.() ?? Array.from(globalThis.crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
