// The daemon that scans uploads, asked as the gateway asks it: whether it answers, and whether it takes the largest file that the gateway does.
import type { Config } from '../../config.ts'
import { createClamd } from '../../scanning/clamd.ts'
import { checking, ok, problem, reasonOf, warning, type Check, type Seen } from './check.ts'

type Settings = Pick<Config, 'clamdUrl' | 'attachmentMaxBytes' | 'scanTimeoutMs' | 'scanFailsOpen'>

const chunk = Buffer.alloc(64 * 1024)

export async function checkScanner ({ clamdUrl, attachmentMaxBytes, scanTimeoutMs, scanFailsOpen }: Settings): Promise<Check[]> {
  if (clamdUrl === undefined) return []
  const clamd = createClamd(clamdUrl)
  const inTime = () => AbortSignal.timeout(scanTimeoutMs)
  const consequence = scanFailsOpen ? 'Until then files are kept unscanned.' : 'Until then no such upload is taken.'

  async function answers (): Promise<Seen> {
    try {
      return ok(`The scanner at ${clamdUrl} answers: ${await clamd.version(inTime()) ?? 'it keeps its version to itself'}.`)
    } catch (error) {
      return problem(`The scanner at ${clamdUrl} does not answer: ${reasonOf(error)}`, `Start clamd, or correct CLAMD_URL. ${consequence}`)
    }
  }

  async function largest (): Promise<Seen> {
    const bytes = `${attachmentMaxBytes.toLocaleString('en')} bytes, the largest attachment`
    try {
      await clamd.scan(zeros(attachmentMaxBytes), inTime())
      return ok(`It gave its verdict on ${bytes}. With AlertExceedsMax it also says so when it did not look at all of a file.`)
    } catch (error) {
      return warning(`It gave no verdict on ${bytes}: ${reasonOf(error)}`, `Raise StreamMaxLength, MaxFileSize and MaxScanSize of clamd, or SCAN_TIMEOUT_SECONDS, or lower ATTACHMENT_MAX_BYTES. ${consequence}`)
    }
  }

  return checking('scanner', [{ name: 'answers', look: answers }, { name: 'largest file', look: largest }])
}

async function * zeros (bytes: number): AsyncGenerator<Buffer> {
  for (let left = bytes; left > 0; left -= chunk.length) yield chunk.subarray(0, left)
}
