// Whether the database of a snapshot and its manifest say the same, row by row.
import { join, relative } from 'node:path'
import { openSnapshot, type SnapshotRow } from '../../records/snapshot.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import type { Finding } from '../finding.ts'
import { createFindings, type Findings } from '../verify/observed.ts'
import { databaseCopy, manifestFile } from './layout.ts'
import { readManifest } from './manifest.ts'

const compared = ['kind', 'extension', 'state', 'ownerId', 'size', 'sha256', 'revision', 'epoch'] as const satisfies ReadonlyArray<keyof SnapshotRow>

const mend = 'Use another snapshot, or another copy of this backup.'

/** Adds what differs to `findings`, and returns them. Both are in the order of ids, so one pass over both will do. */
export async function compareRows (fs: FileSystem, dir: string, root: string, findings = createFindings()): Promise<Findings> {
  const snapshot = openSnapshot(join(root, databaseCopy))
  const path = relative(dir, join(root, manifestFile))
  const lineMissing = (row: SnapshotRow): void => { findings.add({ problem: 'backup-damaged', path, kind: row.kind, id: row.id, detail: `It has no line for ${row.id}, which its database knows.`, mend }) }
  try {
    const rows = snapshot.rows()
    let row = rows.next().value as SnapshotRow | undefined
    for await (const group of readManifest(fs, join(root, manifestFile))) {
      for (const sidecar of group) {
        if (sidecar === undefined) {
          findings.add({ problem: 'backup-damaged', path, detail: 'A line of it does not prove itself.', mend })
          continue
        }
        for (; row !== undefined && row.id < sidecar.id; row = rows.next().value) lineMissing(row)
        const fault = differenceOf(sidecar, row)
        if (fault !== undefined) findings.add({ ...fault, path, kind: sidecar.kind, id: sidecar.id, mend })
        if (row?.id === sidecar.id) row = rows.next().value
      }
    }
    for (; row !== undefined; row = rows.next().value) lineMissing(row)
    return findings
  } finally {
    snapshot.close()
  }
}

function differenceOf (sidecar: Sidecar, row: SnapshotRow | undefined): Pick<Finding, 'problem' | 'detail'> | undefined {
  if (row?.id !== sidecar.id) return { problem: 'row-missing', detail: `Its line for ${sidecar.id} has no record in the database of the snapshot.` }
  const different = compared.filter((name) => sidecar[name] !== row[name])
  return different.length === 0 ? undefined : { problem: 'row-inconsistent', detail: `Its line for ${sidecar.id} and the record in the database of the snapshot differ in ${different.join(', ')}.` }
}
