// What a check has seen so far: a bounded list of findings, each with what relating them to each other needs.
import type { Finding, Problem } from '../finding.ts'

/** Of a whole volume that is gone, the first thousands say enough, and the rest would fill the memory. */
export const maxFindings = 10_000

export type Observed = Finding & {
  /** The sha-256 that the bytes ought to have, and the one they have. */
  readonly expected?: string
  readonly actual?: string
}

export type Findings = ReturnType<typeof createFindings>

export function createFindings (limit = maxFindings) {
  const list: Observed[] = []
  let count = 0
  return {
    list,
    count: (): number => count,
    add (...observed: readonly Observed[]): void {
      count += observed.length
      list.push(...observed.slice(0, Math.max(0, limit - list.length)))
    },
  }
}

const repair = '"upload-gateway audit --repair"'

/** What only people can do about a folder that the gateway never made. */
export const lookThrough = (name: string): string => `The folder ${name} is not empty: look through it and remove it by hand.`

/** Uploads were moved to another disk, and are all behind it. */
export const unlinkFolder = 'It is a link in the place of a folder of uploads, and verify and rebuild need a real folder there: stop the gateway, and put the folder that it leads to in its place.'

export const databaseIsOlder = 'The database is older than the volume: stop the gateway and run "upload-gateway rebuild", which takes the volume\'s word.'

/** What would mend it, for problems of which that can be said at once. */
export const mends: Readonly<Record<Problem, string>> = {
  'blob-missing': `${repair} puts it back when its bytes lie elsewhere on the volume, or in a backup given with --from.`,
  'blob-size': `${repair} puts the right bytes in its place when they lie elsewhere on the volume, or in a backup given with --from.`,
  'blob-corrupt': `${repair} puts the right bytes in its place when they lie elsewhere on the volume, or in a backup given with --from.`,
  'blob-swapped': `${repair} gives each file its own name again.`,
  'blob-unreadable': 'Let the user that runs the gateway read it; when the disk fails, copy the volume to another one, and take this file from a backup with --from.',
  'blob-undescribed': 'An interrupted upload leaves this; the sweep removes it in time. If a backup knows it, the line with its id in the manifest.ndjson of a snapshot is its sidecar: write that line into a file beside it, named ID.sidecar.json, and "upload-gateway audit --repair" makes its record.',
  'sidecar-missing': `${repair} writes it anew from the record.`,
  'sidecar-damaged': `${repair} writes it anew from the record.`,
  'sidecar-differs': `${repair} writes it anew: the record counts.`,
  'sidecar-alone': `${repair} brings file and record back when the bytes lie elsewhere on the volume, or in a backup given with --from; else the sweep removes it in time.`,
  'row-missing': `${repair} makes its record anew from the sidecar; else the sweep removes it in time, as what an interrupted upload leaves.`,
  'row-inconsistent': `${repair} sets right what its state settles.`,
  foreign: `If nobody needs it, remove it, or let ${repair.slice(0, -1)} --remove-foreign" do that.`,
  'erased-present': 'Start the gateway, or run "upload-gateway erase" for its owner again: either finishes the erasure.',
  'ledger-damaged': 'Its other lines count. Put the file back from a backup, or from the second place of the ledger.',
  'backup-damaged': 'Make a new backup.',
}
