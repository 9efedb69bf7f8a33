// One request and its answer by XMLHttpRequest, which alone tells pages what of a body has been sent.
import { networkFailed } from './error.ts'
import { answerMs, type Transport } from './transport.ts'

/** The part of XMLHttpRequest that is used: Node has neither it nor its types. */
export type Xhr = {
  readonly status: number
  readonly responseText: string
  readonly upload: { onprogress: ((event: { readonly loaded: number }) => void) | null }
  onload: (() => void) | null
  onerror: (() => void) | null
  open: (method: string, url: string) => void
  setRequestHeader: (name: string, value: string) => void
  getAllResponseHeaders: () => string
  send: (body?: Blob | FormData | string) => void
  abort: () => void
}

/** No byte for this long, while there are some to send: the connection is as good as cut. */
const idleMs = 60_000

/** For answers that are text, as those to uploads are. */
export function byXhr (XMLHttpRequest: new () => Xhr): Transport {
  return ({ url, method, headers, body, bytes = 0, signal, onSent }) => new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    const xhr = new XMLHttpRequest()
    let timer: ReturnType<typeof setTimeout> | undefined
    const end = (settle: () => void) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      settle()
    }
    const stop = (reason: unknown) => end(() => {
      xhr.abort()
      reject(reason)
    })
    const onAbort = () => stop(signal?.reason)
    const within = (ms: number) => {
      clearTimeout(timer)
      timer = setTimeout(() => stop(networkFailed(new Error('It took too long.'))), ms)
    }
    signal?.addEventListener('abort', onAbort)
    xhr.upload.onprogress = ({ loaded }) => {
      within(loaded < bytes ? idleMs : answerMs)
      onSent?.(loaded)
    }
    xhr.onload = () => end(() => resolve(answerOf(xhr)))
    xhr.onerror = () => end(() => reject(networkFailed(new Error('XMLHttpRequest failed.'))))
    xhr.open(method, url)
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value)
    within(answerMs)
    xhr.send(body)
  })
}

function answerOf (xhr: Xhr): Response {
  const lines = xhr.getAllResponseHeaders().trim().split(/\r?\n/).filter((line) => line !== '')
  const headers = lines.map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()])
  // Fetch's own rule: such an answer has no body, not even an empty one.
  const hasBody = xhr.status !== 204 && xhr.status !== 304
  return new Response(hasBody ? xhr.responseText : null, { status: xhr.status, headers })
}
