// Erasures and tombstones, from their journals on the volume and from the old database: what either does not have is put right, and told.
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import type { OldJournaled } from '../../records/old-journaled.ts'
import { lastErasures } from '../../records/rebuilding.ts'
import { createErasures, ledgerPlaces, volumeHash, type Erasure } from '../../storage/erasures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { Storage } from '../../storage/open.ts'
import { createDurable } from '../../storage/volume/durable.ts'
import { erasuresFile, tombstonesFile } from '../../storage/volume/layout.ts'
import type { Finding } from '../finding.ts'
import { Refusal } from '../refusal.ts'
import { isThere } from '../workplace.ts'

const keysPerEntry = 500

export type Journals = {
  readonly erasures: readonly Erasure[]
  readonly tombstones: ReadonlySet<string>
  readonly findings: readonly Finding[]
}

type Task = {
  readonly fs: FileSystem
  readonly root: string
  readonly storage: Pick<Storage, 'erasures' | 'tombstones' | 'hash'>
  readonly old: Pick<OldJournaled, 'erasures' | 'owners' | 'tombstones'>
  readonly now: () => Date
}

/** What only the old database knew is durable on the volume when it returns. */
export async function readJournals (task: Task): Promise<Journals> {
  const findings: Finding[] = []
  const erasures = await readErasures(task, findings)
  return { erasures, tombstones: await readTombstones(task, erasures, findings), findings }
}

const damaged = (path: string, detail: string, mend: string): Finding => ({ problem: 'ledger-damaged', path, detail, mend })

const orCopy = 'Put it back from a backup, or set ERASURE_LEDGER to a copy of it, and run this again.'

async function readErasures (task: Task, findings: Finding[]): Promise<Erasure[]> {
  const { storage, root } = task
  const { erasures, places } = await storage.erasures.read().catch((error: unknown) => {
    throw new Refusal(`The ledger of erasures cannot be read, so nobody could tell who must stay erased (${error instanceof Error ? error.message : String(error)}). Make it readable and run this again.`, { cause: error })
  })
  const rescued = missingIn(erasures, task)
  for (const { path, damagedLines } of places) {
    if (damagedLines > 0) findings.push(damaged(path, `${damagedLines} lines of it cannot be read: whoever is erased by them comes back.`, orCopy))
  }
  const [first, second] = places
  if (first?.isThere === false) findings.push(damaged(erasuresFile, 'The ledger of erasures is not on the volume: whoever is erased by what only it knew is brought back.', `${orCopy} If nobody was ever erased, nothing has to be done: the gateway makes a new one at its next start.`))
  if (second?.isThere === false) findings.push(damaged(second.path, 'ERASURE_LEDGER is not there: erasures that only it knows were not read.', 'Mount it, and run this again; the gateway makes a new one at its next start.'))
  if (rescued.length > 0) findings.push(damaged(erasuresFile, `${rescued.length} erasures were in the old database only. They were carried out, and written to the ledger on the volume.`, 'Nothing has to be done about these. If other erasures may have been lost with the ledger, put it back from a backup and run this again.'))
  // Where the second place is not there, that of the volume must have them all the same.
  const onVolume = createErasures({ fs: task.fs, durable: createDurable({ fs: task.fs, onSyncFailure: () => {} }), paths: ledgerPlaces(root, undefined), hash: storage.hash })
  for (const erasure of rescued) await onVolume.append(erasure)
  return [...erasures, ...rescued].sort((a, b) => a.epoch - b.epoch)
}

/** An owner's row may say more than the rows of erasures: of two that were counted alike, one has none. */
function missingIn (known: readonly Erasure[], { old, storage: { hash }, now }: Task): Erasure[] {
  const volume = volumeHash(hash)
  const ids = new Set(known.map(({ id }) => id))
  const rows = old.erasures.filter(({ id }) => !ids.has(id)).map((row): Erasure => ({ ...row, volume }))
  const epochs = lastErasures([...known, ...rows])
  const owners = [...old.owners].filter(([owner, epoch]) => epoch > (epochs.get(owner) ?? 0))
  return [...rows, ...owners.map(([owner, epoch]): Erasure => ({ id: randomUUID(), epoch, owner, volume, at: now().toISOString() }))]
}

async function readTombstones ({ fs, root, storage, old, now }: Task, erasures: readonly Erasure[], findings: Finding[]): Promise<Set<string>> {
  const tell = (detail: string, mend: string) => findings.push(damaged(tombstonesFile, detail, mend))
  const { keys, damagedLines } = await storage.tombstones.read()
  const rescued = old.tombstones.filter((key) => !keys.has(key))
  const isLost = erasures.length > 0 && keys.size === 0 && rescued.length === 0 && !await isThere(fs, join(root, tombstonesFile))
  if (damagedLines > 0) tell(`${damagedLines} lines of it cannot be read: an import may bring back what they name.`, 'Put it back from a backup, and run this again.')
  if (isLost) tell('It is not on the volume, though uploads were erased: old URLs and imports may bring back what was removed for good.', 'Put it back from a backup, and run this again. If no old URLs, avatars or imported files were ever removed for good, nothing has to be done.')
  if (rescued.length > 0) tell(`${rescued.length} tombstones were in the old database only. They were written to the file on the volume.`, 'Nothing has to be done about these. If others may have been lost with the file, put it back from a backup and run this again.')
  for (let at = 0; at < rescued.length; at += keysPerEntry) await storage.tombstones.add(rescued.slice(at, at + keysPerEntry), now())
  return new Set([...keys, ...rescued])
}
