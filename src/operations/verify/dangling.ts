// Records whose row is gone, as after rows were removed by hand.
import { lookAgainMs, type Context } from './context.ts'
import { maxFindings, type Observed } from './observed.ts'

export async function checkDangling ({ inventory, pause, findings }: Pick<Context, 'inventory' | 'pause' | 'findings'>): Promise<Observed[]> {
  const first = await inventory.dangling(maxFindings)
  if (first.length === 0) return []
  await pause(lookAgainMs)
  // Where the files are there, that they have no row is named already, and their sidecar brings back all of it.
  const named = new Set(findings.list.map(({ id }) => id))
  const byBlob = Map.groupBy(await inventory.dangling(maxFindings), ({ blobId }) => blobId)
  return [...byBlob].filter(([blobId]) => !named.has(blobId)).map(([blobId, dangling]): Observed => ({
    problem: 'row-inconsistent', path: `(row ${blobId})`, id: blobId,
    detail: `The database has ${dangling.map(({ what }) => what).join(' and ')}, but neither a row nor a file for it.`,
    mend: 'Bring the file and its sidecar back from a backup; "upload-gateway audit --repair" then makes the row anew.',
  }))
}
