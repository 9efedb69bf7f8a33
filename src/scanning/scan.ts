// Whether a file that arrived may be kept, as far as a scanner can tell, and what is kept of its word. Speaks no protocol.
import { createReadStream } from 'node:fs'
import pLimit from 'p-limit'
import { ScannerUnavailable, UploadInfected, withHeaders } from '../errors.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { StagedFile } from '../storage/store.ts'
import type { Clamd, Verdict } from './clamd.ts'

export type Scanned = Pick<Sidecar, 'scan' | 'scanSignature'>

/** Of a staged file that is finished, as it arrived. @throws UploadInfected, ScannerUnavailable */
export type Scan = (staged: Pick<StagedFile, 'path'>) => Promise<Scanned>

/** refused: it could not be scanned; unscanned: nor could this one, and it was kept all the same. */
export type ScanOutcome = 'clean' | 'infected' | 'refused' | 'unscanned'

type Options = {
  readonly clamd: Clamd
  /** Keep what cannot be scanned. */
  readonly failsOpen: boolean
  /** Of one file, from its asking to the verdict: also when others are before it. */
  readonly deadlineMs: number
  readonly onEnd: (outcome: ScanOutcome) => void
  /** Hears of each file that is kept unscanned. */
  readonly warn: (error: unknown, message: string) => void
  /** Milliseconds, of a clock that is never set. */
  readonly nowMs?: () => number
}

const chunkBytes = 64 * 1024

/** A daemon has ten threads, unless it was told otherwise, and may have other clients. */
const atOnce = 4

const versionKeptMs = 60_000

const retryAfterSeconds = '30'

/** Where there is no scanner. */
export const withoutScanner: Scan = async () => ({ scan: null, scanSignature: null })

/** Opened when they are asked for. */
async function * bytesOf (path: string): AsyncGenerator<Buffer> {
  yield * createReadStream(path, { highWaterMark: chunkBytes })
}

export function createScan ({ clamd, failsOpen, deadlineMs, onEnd, warn, nowMs = () => performance.now() }: Options): Scan {
  const turns = pLimit(atOnce)
  let known: { readonly since: number, readonly version: Promise<string | null> } | undefined

  /** Not knowing it makes no verdict void. */
  function version (signal: AbortSignal): Promise<string | null> {
    if (known === undefined || nowMs() - known.since > versionKeptMs) {
      const asked = clamd.version(signal).catch(() => {
        known = undefined
        return null
      })
      known = { since: nowMs(), version: asked }
    }
    return known.version
  }

  async function look (path: string, signal: AbortSignal): Promise<{ verdict: Verdict, version: string | null }> {
    const [verdict, seenWith] = await Promise.all([clamd.scan(bytesOf(path), signal), version(signal)])
    return { verdict, version: seenWith }
  }

  async function lookInTime (path: string): ReturnType<typeof look> {
    const { promise: late, reject } = Promise.withResolvers<never>()
    const deadline = new AbortController()
    const timer = setTimeout(() => {
      const error = new Error(`There was no verdict of the scanner within ${deadlineMs / 1000} s.`)
      reject(error)
      deadline.abort(error)
    }, deadlineMs)
    return Promise.race([turns(() => look(path, deadline.signal)), late]).finally(() => clearTimeout(timer))
  }

  return async ({ path }) => {
    const seen = await lookInTime(path).catch((error: unknown) => ({ error }))
    if ('error' in seen) {
      onEnd(failsOpen ? 'unscanned' : 'refused')
      if (!failsOpen) throw withHeaders(new ScannerUnavailable({ cause: seen.error }), { 'Retry-After': retryAfterSeconds })
      warn(seen.error, 'A file that could not be scanned is kept, marked as unscanned.')
      return { scan: 'unscanned', scanSignature: null }
    }
    onEnd(seen.verdict === undefined ? 'clean' : 'infected')
    if (seen.verdict !== undefined) throw new UploadInfected(seen.verdict)
    return { scan: 'clean', scanSignature: seen.version }
  }
}
