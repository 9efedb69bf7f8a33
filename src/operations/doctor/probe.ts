// One request as a client sends it, and what came back before a byte of its body was sent. Decides nothing.
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'

/** More is never needed of an answer. */
const mostBytes = 64 * 1024

export type Answer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** Somebody asked for the body with 100 Continue. */
  readonly wasContinued: boolean
}

export type Probe = { readonly method?: string, readonly path: string, readonly headers?: Readonly<Record<string, string | number>> }

/** Never sends a body, whatever length was declared. 'silence': nothing came in time. @throws when there is no connection */
export function probe (url: string, { method = 'GET', path, headers = {} }: Probe, timeoutMs: number): Promise<Answer | 'silence'> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer | 'silence'>()
  const target = new URL(path, url)
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest
  const sent = send(target, { method, headers, agent: false })
  let wasContinued = false
  const end = (answer: Answer | 'silence') => {
    resolve(answer)
    sent.destroy()
  }
  sent.setTimeout(timeoutMs, () => end('silence'))
  sent.on('error', reject)
  sent.on('continue', () => { wasContinued = true })
  sent.on('response', (response) => {
    const answer = (body: string): Answer => ({ status: response.statusCode ?? 0, headers: response.headers, body, wasContinued })
    let body = ''
    response.setEncoding('utf8')
    response.on('data', (text: string) => {
      body += text
      if (body.length > mostBytes) end(answer(body))
    })
    response.on('error', () => end(answer(body)))
    response.on('end', () => end(answer(body)))
  })
  if (headers['content-length'] === undefined) sent.end()
  else sent.flushHeaders()
  return promise
}

/** A member of a JSON body; undefined when it is none. */
export function member (body: string, name: string): unknown {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined
  } catch {
    return undefined
  }
}
