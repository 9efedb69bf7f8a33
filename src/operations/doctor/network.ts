// The gateway as clients reach it, through whatever stands in between: only what can be seen from requests that change nothing.
import type { Config } from '../../config.ts'
import { checking, ok, problem, reasonOf, unknown, warning, type Check, type Seen } from './check.ts'
import { member, probe, type Answer } from './probe.ts'

type Options = {
  url: string
  config: Pick<Config, 'attachmentMaxBytes' | 'avatarMaxBytes' | 'trustProxy'>
  /** A current avatar of the volume, if any is known: it is a file that anyone may read. */
  avatar: { readonly userId: string, readonly blobId: string } | undefined
  /** A gateway is at work on the volume. */
  isExpected: boolean
  now: () => Date
  timeoutMs?: number
}

const jump = 5000

export async function checkNetwork ({ url, config, avatar, isExpected, now, timeoutMs = 5000 }: Options): Promise<Check[]> {
  const ask = (path: string, headers: Record<string, string | number> = {}, method = 'GET') => probe(url, { path, headers, method }, timeoutMs)
  const live = await ask('/health/live').catch(reasonOf)
  if (typeof live === 'string' || member(live.body, 'status') !== 'live') return checking('network', [{ name: 'reachable', look: () => unreachable(url, live, isExpected) }])
  const largest = { 'content-type': 'application/octet-stream', 'content-length': config.attachmentMaxBytes }
  return checking('network', [
    { name: 'reachable', look: () => ok(`A gateway answers at ${url}.`) },
    { name: 'ready', look: async () => ready(await ask('/health/ready')) },
    { name: 'same gateway', look: async () => same(await ask('/api/limits'), avatar && await ask(`/api/avatars/${avatar.userId}/${avatar.blobId}`, { range: 'bytes=0-0' }), config) },
    { name: 'proxy', look: () => proxy(live, config) },
    { name: 'upload size', look: async () => uploadSize(await ask('/api/attachments', largest, 'POST'), config.attachmentMaxBytes, timeoutMs) },
    { name: 'Expect: 100-continue', look: async () => expectation(await ask('/api/attachments', { ...largest, expect: '100-continue' }, 'POST')) },
    { name: 'ranges', look: async () => avatar === undefined ? unknown('There is no avatar to ask a part of.') : ranges(await ask(`/api/avatars/${avatar.userId}`, { range: 'bytes=0-0', 'accept-encoding': 'gzip' })) },
    { name: 'clock', look: () => clock(live, now) },
    { name: 'timeouts', look: () => unknown('How long a proxy lets an upload take cannot be seen from a short request: its limits must not count the body. Traefik: readTimeout=0; nginx: client_body_timeout and proxy_read_timeout of a few minutes.') },
  ])
}

function unreachable (url: string, answer: Answer | 'silence' | string, isExpected: boolean): Seen {
  const seen = typeof answer === 'string' ? (answer === 'silence' ? 'nothing came back in time.' : answer) : `${answer.status} came back, but not from a gateway.`
  if (!isExpected) return unknown(`No gateway is at work on the volume, and at ${url} there is none either: ${seen}`)
  return problem(`A gateway is at work on the volume, but not reached at ${url}: ${seen}`, 'Set PORT and PUBLIC_URL here as they are for the gateway, correct them or the proxy, or give the address with --url.')
}

function ready (answer: Answer | 'silence'): Seen {
  if (answer === 'silence') return problem('It does not say in time whether it is ready.', 'Look at its log.')
  return answer.status === 200 ? ok('It is ready.') : problem(`It is not ready: ${answer.body}`, 'Look at its log for the check that failed.')
}

/** It shows what is on this volume, and its limits are the ones of these settings. */
function same (answer: Answer | 'silence', shown: Answer | 'silence' | undefined, { attachmentMaxBytes, avatarMaxBytes }: Options['config']): Seen {
  const text = answer === 'silence' ? '' : answer.body
  const isSame = [attachmentMaxBytes, avatarMaxBytes].every((bytes) => new RegExp(`\\b${bytes}\\b`).test(text))
  const status = typeof shown === 'object' ? shown.status : undefined
  if (status === 404) return warning('It does not know a picture of this volume: it is the gateway of another one, unless the picture was removed at this moment.', 'Set PORT and PUBLIC_URL here as they are for the gateway of this volume, correct them or the proxy, or give the address with --url.')
  if (isSame) return ok(status === 206 || status === 200 ? 'It has the limits of these settings, and knows a picture of this volume.' : 'It has the limits of these settings. Whether it is of this volume cannot be seen: there is no avatar that it shows.')
  return warning('It has other limits than these settings: it is another gateway, or was started with other settings.', 'Run this where the gateway runs, with its environment.')
}

function proxy ({ headers }: Answer, { trustProxy }: Options['config']): Seen {
  const signs = [headers.via, headers.server, headers['x-cache'], headers['cf-ray']].flat().filter((sign) => sign !== undefined)
  if (signs.length === 0) return ok('Nothing in its answers tells of a proxy in between; some leave no trace.')
  if (trustProxy === false) return warning(`There is a proxy in between (${signs.join(', ')}), but TRUST_PROXY names none: all clients share its address in the limits on log-ins.`, 'Set TRUST_PROXY=1, or to its address.')
  return ok(`There is a proxy in between (${signs.join(', ')}). Whether it says truly whom it serves is seen in the gateway's log: remoteAddress must be the client's.`)
}

const isOurs = ({ headers, body }: Answer) => /^application\/problem\+json/.test(headers['content-type'] ?? '') && typeof member(body, 'code') === 'string'

/** Without a token the gateway refuses at once: an answer of its own says that the declared size came through, and that nothing waited for the body. */
function uploadSize (answer: Answer | 'silence', bytes: number, timeoutMs: number): Seen {
  if (answer === 'silence') return warning(`An upload is not passed on until its body has come: nothing answered within ${timeoutMs / 1000} s. Uploads are then stored twice, and refused only after they were sent.`, 'Switch the buffering of requests off. nginx: proxy_request_buffering off.')
  if (isOurs(answer)) return ok(`An upload of ${bytes.toLocaleString('en')} bytes, the largest attachment, comes through to the gateway, before its body is sent.`)
  if (answer.status === 413) return problem(`A proxy refuses an upload of ${bytes.toLocaleString('en')} bytes with 413, before the gateway sees it.`, 'Raise its limit. nginx: client_max_body_size 0. Or lower ATTACHMENT_MAX_BYTES, so that clients are told the truth.')
  return warning(`A proxy answers an upload itself, with ${answer.status}.`, 'Let POST and PUT under /api through to the gateway.')
}

function expectation (answer: Answer | 'silence'): Seen {
  if (answer === 'silence') return warning('A request that asks before it sends its body gets no answer.', 'Let the proxy pass Expect: 100-continue on, or answer it.')
  if (answer.wasContinued) return ok('A proxy asks for the body itself: what the gateway refuses is sent in vain, and nothing worse.')
  return isOurs(answer) ? ok('Clients that ask first are refused before they send anything.') : warning(`A request that asks before it sends its body is answered with ${answer.status}.`, 'Let the proxy pass Expect: 100-continue on, or answer it.')
}

function ranges (answer: Answer | 'silence'): Seen {
  if (answer === 'silence') return problem('A file does not come in time.', 'Look at the log of the gateway, and of the proxy.')
  const { status, headers, body } = answer
  if (status === 404) return unknown('The avatar that was asked for is gone.')
  if (status !== 206 || !/^bytes 0-0\//.test(headers['content-range'] ?? '')) return warning(`A part of a file is asked for, and ${status} comes: videos cannot be sought, and downloads not gone on with.`, 'Let the proxy pass Range and Content-Range on.')
  if (!/^"[^"]+"$/.test(headers.etag ?? '') || headers['content-encoding'] !== undefined) return warning('The proxy changes files on the way: the ETag is not the strong one of the gateway, or the bytes are encoded anew.', 'Switch compression off for this service; pictures do not get smaller.')
  return Buffer.byteLength(body) > 0 ? ok('Parts of files come through, with their ETag.') : warning('A part of a file came without bytes.', 'Look at the proxy.')
}

function clock ({ headers: { date } }: Answer, now: () => Date): Seen {
  if (date === undefined) return unknown('The answer has no Date.')
  const differenceMs = Math.abs(new Date(date).getTime() - now().getTime())
  return differenceMs > jump ? warning(`The clock of who answers differs from this machine by ${Math.round(differenceMs / 1000)} s.`, 'Set the clocks of both machines with NTP: tokens expire by them.') : ok('The clock of who answers is that of this machine.')
}
