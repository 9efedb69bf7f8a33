// Whether a receipt of an erasure still holds: it is signed, the ledger knows of it, and nothing of what it names is there.
import { readFile } from 'node:fs/promises'
import { basename, relative } from 'node:path'
import { createErasures, ledgerPlaces } from '../storage/erasures.ts'
import type { FileSystem } from '../storage/fs.ts'
import type { BlobId } from '../storage/ids.ts'
import { createDurable } from '../storage/volume/durable.ts'
import { blobPath, sidecarPath } from '../storage/volume/layout.ts'
import { scanVolume } from '../storage/volume/scan.ts'
import { openReceipts, ReceiptError } from '../users/receipt.ts'
import { createErasureRecords } from '../users/records.ts'
import type { Erased } from '../users/schema.ts'
import { copiesOf } from './erase.ts'
import type { Finding } from './finding.ts'
import type { Progress } from './progress.ts'
import { Refusal } from './refusal.ts'
import { atWork, type Workplace, type WorkplaceConfig } from './workplace.ts'

const idsPerQuery = 500

export type ReceiptReport = {
  readonly erased: Erased
  /** Of the ledger, and whether the erasure is in it. */
  readonly places: ReadonlyArray<{ readonly path: string, readonly hasEntry: boolean }>
  readonly findings: readonly Finding[]
}

/**
 * Whether what the receipt says is gone is gone, and stays so.
 * @throws Refusal when the receipt is not one of this gateway
 */
export async function verifyReceipt (config: WorkplaceConfig, { receiptFile, progress, fs: machine }: { receiptFile: string, progress: Progress, fs?: FileSystem }): Promise<ReceiptReport> {
  const text = await readFile(receiptFile, 'utf8').catch((error: Error) => { throw new Refusal(`The receipt cannot be read: ${error.message}.`, { cause: error }) })
  return atWork(config, { work: 'erase --verify', ...(machine && { fs: machine }) }, async (workplace) => {
    const receipts = await openReceipts(workplace.secrets)
    const erased = await receipts.verify(text).catch((error: unknown) => {
      if (!(error instanceof ReceiptError)) throw error
      throw new Refusal(`${error.message}. Receipts are checked with the key beside the database that they were signed with; "erase --public-key" prints this gateway's.`, { cause: error })
    })
    const places = await ledgerEntries(workplace, config, erased)
    return {
      erased, places,
      findings: [
        ...places.filter(({ hasEntry }) => !hasEntry).map(({ path }): Finding => ({ problem: 'ledger-damaged', path, detail: 'The ledger of erasures has no entry for this receipt.', mend: 'Start the gateway: it gives each place of the ledger what another has. If none has it, erase the user again.' })),
        ...await remainingRows(workplace, erased),
        ...await remainingFiles(workplace, erased, progress),
        ...await copiesOf(workplace.fs, config),
      ],
    }
  })
}

async function ledgerEntries ({ fs, root, storage: { hash } }: Workplace, { erasureLedger }: WorkplaceConfig, { id }: Erased): Promise<ReceiptReport['places']> {
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  return Promise.all(ledgerPlaces(root, erasureLedger).map(async (path) => {
    const { erasures } = await createErasures({ fs, durable, hash, paths: [path] }).read()
    return { path, hasEntry: erasures.some((entry) => entry.id === id) }
  }))
}

const mend = 'Erase this user again: "upload-gateway erase --owner ID".'

async function remainingRows ({ client, now, ledger, storage: { hash } }: Workplace, { blobs, owner, epoch }: Erased): Promise<Finding[]> {
  const records = createErasureRecords({ client, now })
  const findings: Finding[] = []
  const found = (id: string, path: string, detail: string) => findings.push({ problem: 'erased-present', path, id, detail, mend })
  for (let at = 0; at < blobs.length; at += idsPerQuery) {
    const states = await ledger.states(blobs.slice(at, at + idsPerQuery).map(({ id }) => id as BlobId))
    for (const [id] of states) found(id, '', 'The database has a row of a blob that was erased.')
  }
  for await (const name of records.owners()) {
    if (hash('owner', name) !== owner) continue
    for (const id of await records.ofOwner(name, epoch)) found(id, '', 'The database has a row of the erased user from before the erasure.')
  }
  return findings
}

async function remainingFiles ({ fs, root, storage: { store, hash } }: Workplace, { blobs, owner, epoch }: Erased, progress: Progress): Promise<Finding[]> {
  const erasedIds = new Set(blobs.map(({ id }) => id))
  const findings: Finding[] = []
  progress.step('Reading what the sidecars say')
  for await (const folder of scanVolume(fs, root)) {
    // What was kept of it under another name, as an audit does.
    for (const { path } of folder.foreign) {
      const id = basename(path).slice(0, 36)
      if (erasedIds.has(id)) findings.push({ problem: 'erased-present', path, id, detail: 'This file is named after one that was erased, and may be a part of it.', mend: 'Delete this file.' })
    }
    for (const one of folder.blobs) {
      progress.advance()
      const found = (path: string, detail: string) => findings.push({ problem: 'erased-present', path: relative(root, path), kind: one.kind, id: one.id, detail, mend })
      if (erasedIds.has(one.id)) found(one.extensions.length > 0 ? blobPath(root, one) : sidecarPath(root, one), 'This file was erased, and is there.')
      const sidecar = one.hasSidecar ? await store.readSidecar(one) : undefined
      const ownerId = sidecar?.ownerId ?? null
      if (sidecar !== undefined && ownerId !== null && sidecar.epoch < epoch && hash('owner', ownerId) === owner) found(sidecarPath(root, one), 'This sidecar names the erased user, from before the erasure.')
    }
  }
  return findings
}
