// Counts what became of each file, so that the numbers add up, and writes a line for each where a report file is wanted.
import { createWriteStream, type WriteStream } from 'node:fs'
import { once } from 'node:events'
import { Refusal } from '../refusal.ts'
import type { KeptCode } from './deciding.ts'
import type { RefusalCode } from './candidate.ts'

export const outcomes = ['imported', 'changed', 'there', 'kept', 'refused'] as const

/**
 * imported: new. changed: there was an older version from the same source. there: imported before. kept: somebody decided otherwise
 * here. refused: it cannot be imported.
 */
export type Outcome = typeof outcomes[number]

/** What became of one file; a line of the report file. */
export type Entry = {
  readonly source: string
  readonly outcome: Outcome
  readonly code?: RefusalCode | KeptCode | 'there' | 'there-deleted'
  /** The rest of a sentence. */
  readonly reason?: string
  readonly kind?: string
  readonly ownerId?: string
  readonly paths?: readonly string[]
  readonly contentType?: string
  /** Bytes. */
  readonly size?: number
  readonly sha256?: string
  readonly id?: string
  readonly notes?: readonly string[]
}

export type ImportReport = {
  /** Nothing was written: what would happen. */
  readonly isDryRun: boolean
  /** The sum of all outcomes. */
  readonly found: { readonly files: number, readonly bytes: number }
  readonly outcomes: Record<Outcome, { files: number, bytes: number }>
  /** How often each reason was given, the most frequent first, with the first that it was given for. */
  readonly reasons: ReadonlyArray<{ readonly outcome: Outcome, readonly code: string, readonly files: number, readonly example: Entry }>
  /** Files with something to be known of them, such as a type that was not true. */
  readonly withNotes: number
  /** The first files that were refused or kept; all of them are in the report file. */
  readonly listed: readonly Entry[]
}

/** So many are told one by one; a report file has them all. */
const mostListed = 200

export type Tally = ReturnType<typeof createTally>

export function createTally ({ isDryRun, lines }: { isDryRun: boolean, lines?: ReportFile | undefined }) {
  const counts = Object.fromEntries(outcomes.map((outcome) => [outcome, { files: 0, bytes: 0 }])) as Record<Outcome, { files: number, bytes: number }>
  const reasons = new Map<string, { outcome: Outcome, code: string, files: number, example: Entry }>()
  const listed: Entry[] = []
  let withNotes = 0

  return {
    async add (entry: Entry): Promise<void> {
      const { outcome, code, size = 0, notes = [] } = entry
      counts[outcome].files += 1
      counts[outcome].bytes += size
      if (notes.length > 0) withNotes += 1
      if (code !== undefined) count(outcome, code, entry)
      if ((outcome === 'refused' || outcome === 'kept') && listed.length < mostListed) listed.push(entry)
      await lines?.write(entry)
    },
    report (): ImportReport {
      const sum = (name: 'files' | 'bytes') => outcomes.reduce((total, outcome) => total + counts[outcome][name], 0)
      return { isDryRun, found: { files: sum('files'), bytes: sum('bytes') }, outcomes: structuredClone(counts), reasons: [...reasons.values()].sort((a, b) => b.files - a.files), withNotes, listed: [...listed] }
    },
  }

  function count (outcome: Outcome, code: string, example: Entry): void {
    const known = reasons.get(`${outcome} ${code}`) ?? { outcome, code, files: 0, example }
    reasons.set(`${outcome} ${code}`, { ...known, files: known.files + 1 })
  }
}

export type ReportFile = { write (entry: object): Promise<void>, close (): Promise<void> }

/** One JSON object a line. @throws Refusal when the file cannot be written */
export async function openReportFile (path: string): Promise<ReportFile> {
  const stream = createWriteStream(path)
  const refuse = (error: unknown): never => {
    throw new Refusal(`The report file ${path} cannot be written: ${error instanceof Error ? error.message : String(error)}. Give --report a file in a folder that is there and has space.`)
  }
  await once(stream, 'open').catch(refuse)
  const failed = new Promise<never>((_resolve, reject) => { stream.once('error', reject) })
  failed.catch(() => {})
  return {
    async write (entry) {
      if (!stream.write(`${JSON.stringify(entry)}\n`)) await Promise.race([drained(stream), failed]).catch(refuse)
    },
    async close () {
      stream.end()
      await Promise.race([once(stream, 'close'), failed]).catch(refuse)
    },
  }
}

const drained = async (stream: WriteStream): Promise<void> => {
  if (stream.writableNeedDrain) await once(stream, 'drain')
}
