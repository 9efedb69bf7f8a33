// The gateways' own audit: when one is due, which of them does it, how much it reads, and where the next one goes on.
import type { AuditRecord, AuditState } from '../records/audit-state.ts'
import { withoutRest, type Pace } from '../storage/pace.ts'
import type { Finding, Problem } from './finding.ts'
import { silent } from './progress.ts'
import { verifyVolume, type VerifyOptions, type VolumeVerification } from './verify.ts'
import type { Surroundings } from './verify/context.ts'
import { createFindings } from './verify/observed.ts'

const dayMs = 86_400_000

/** One that has not said how far it is for this long is dead, and another goes on. */
const leaseMs = 10 * 60_000
const usuallySavedEveryMs = 30_000

/** After a failure, such as of the volume, the next try is not at once. */
const retryMs = 15 * 60_000

/** So far the clocks of gateways may be apart. A time further ahead was written by a clock that was wrong. */
const clockToleranceMs = 5 * 60_000

/** Its files are checked beside requests: one at a time, and how far it is is known after each small page. */
const portions = { concurrency: 1, pageSize: 20 }

const maxSuspects = 1000

export type AuditCounts = Pick<AuditState, 'missing' | 'corrupt' | 'foreign' | 'finishedAt'>

export type ScheduledAudit = {
  /** Audits if that is due and nobody else does. `signal` ends it early; what was read is not read again then. */
  runIfDue (signal: AbortSignal): Promise<VolumeVerification | undefined>
  /** What the last one found, whichever gateway did it; undefined before the first. */
  latest (): Promise<AuditCounts | undefined>
}

type Options = Pick<VerifyOptions, 'pause'> & {
  readonly surroundings: Surroundings
  readonly record: AuditRecord
  readonly everyMs: number
  readonly maxBytesPerDay: number
  /** Hears of bytes that were read and hashed. */
  readonly onRead: (bytes: number) => void
  /** At which files are looked at and read, each time anew. */
  readonly pace?: () => Pace
  readonly saveEveryMs?: number
}

/** The state when the audit began, as it is held now, and as it was last written. */
type Taken = { readonly begun: AuditState, held: AuditState, written: string }

export function createScheduledAudit ({ surroundings, record, everyMs, maxBytesPerDay, onRead, pace = () => withoutRest, saveEveryMs = usuallySavedEveryMs, pause }: Options): ScheduledAudit {
  const nowMs = () => surroundings.now().getTime()

  /** Undefined when it is not due, or another process has it. */
  async function take (): Promise<Taken | undefined> {
    const { state, text } = await record.read()
    const at = nowMs()
    /** 0 where no clock that is right can have written this. */
    const believed = (time: number, farthest = at) => time > farthest + clockToleranceMs ? 0 : time
    if (at - believed(state.finishedAt) < everyMs || believed(state.heldUntil, at + retryMs) > at) return undefined
    const isNewDay = at - believed(state.dayStartedAt) >= dayMs
    const held = { ...state, heldUntil: at + leaseMs, ...(isNewDay && { dayStartedAt: at, dayBytes: 0 }) }
    const written = await record.replace(text, held)
    return written === false ? undefined : { begun: held, held, written }
  }

  /** @throws when another process has it by now */
  async function save (taken: Taken, changes: Partial<AuditState>): Promise<void> {
    taken.held = { ...taken.held, heldUntil: nowMs() + leaseMs, ...changes }
    const written = await record.replace(taken.written, taken.held)
    if (written === false) throw new Error('Another gateway has taken the audit over.')
    taken.written = written
  }

  async function audit (taken: Taken, signal: AbortSignal): Promise<VolumeVerification> {
    const { begun } = taken
    const findings = createFindings()
    let read = 0
    const onPage: VerifyOptions['onPage'] = async ({ cursor, hashedBytes }) => {
      onRead(hashedBytes - read)
      read = hashedBytes
      // Whoever goes on behind them would not see them again.
      const suspects = bounded([...begun.suspects, ...suspectsIn(findings.list)])
      taken.held = { ...taken.held, cursor, dayBytes: begun.dayBytes + hashedBytes, suspects }
    }
    const lost = new AbortController()
    let saving = Promise.resolve()
    const timer = setInterval(() => {
      saving = saving.then(() => save(taken, {})).catch((error: unknown) => lost.abort(error))
    }, saveEveryMs)
    const verification = await verifyVolume(surroundings, {
      ...portions, pace: pace(), signal: AbortSignal.any([signal, lost.signal]), onPage, progress: silent, findings, waitsForUploads: false,
      after: begun.cursor, maxBytes: maxBytesPerDay - begun.dayBytes, always: new Set(begun.suspects),
      ...(pause !== undefined && { pause }),
    }).finally(async () => {
      clearInterval(timer)
      await saving
    })
    await save(taken, { ...summary(verification), cursor: verification.cursor ?? '', finishedAt: nowMs(), heldUntil: 0 })
    return verification
  }

  return {
    async runIfDue (signal) {
      const taken = await take()
      if (taken === undefined) return undefined
      try {
        return await audit(taken, signal)
      } catch (error) {
        await save(taken, { heldUntil: signal.aborted ? 0 : nowMs() + retryMs }).catch(() => {})
        if (signal.aborted) return undefined
        throw error
      }
    },

    async latest () {
      const { state: { missing, corrupt, foreign, finishedAt } } = await record.read()
      return finishedAt === 0 ? undefined : { missing, corrupt, foreign, finishedAt }
    },
  }
}

const classes: Readonly<Record<Problem, 'missing' | 'corrupt' | 'foreign'>> = {
  'blob-missing': 'missing', 'blob-unreadable': 'missing', 'sidecar-missing': 'missing',
  'blob-size': 'corrupt', 'blob-corrupt': 'corrupt', 'blob-swapped': 'corrupt', 'sidecar-damaged': 'corrupt', 'sidecar-differs': 'corrupt',
  'row-inconsistent': 'corrupt', 'erased-present': 'corrupt', 'ledger-damaged': 'corrupt', 'backup-damaged': 'corrupt',
  foreign: 'foreign', 'row-missing': 'foreign', 'blob-undescribed': 'foreign', 'sidecar-alone': 'foreign',
}

const wrongBytes: ReadonlySet<Problem> = new Set(['blob-corrupt', 'blob-swapped'])

const suspectsIn = (findings: readonly Finding[]): string[] => findings.filter(({ problem }) => wrongBytes.has(problem)).flatMap(({ id }) => id ?? [])

const bounded = (suspects: readonly string[]): string[] => [...new Set(suspects)].slice(0, maxSuspects)

function summary ({ findings }: VolumeVerification): Pick<AuditState, 'missing' | 'corrupt' | 'foreign' | 'suspects'> {
  const count = (name: string) => findings.filter(({ problem }) => classes[problem] === name).length
  return { missing: count('missing'), corrupt: count('corrupt'), foreign: count('foreign'), suspects: bounded(suspectsIn(findings)) }
}
