// Moves an older system in: opens what the import works with on both sides, and closes it. commands/import.ts is its command line.
import { realpath } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { asUserId, type UserId } from '../../callers/caller.ts'
import { ConfigError, type Config } from '../../config.ts'
import { createImportRecords } from '../../records/imports.ts'
import { createOwners } from '../../records/owners.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { isWithin } from '../../storage/place.ts'
import { patiently } from '../patience.ts'
import { withProcesses, type PictureConfig } from '../picture-processes.ts'
import type { Progress } from '../progress.ts'
import { Refusal } from '../refusal.ts'
import { atWork, type WorkplaceConfig } from '../workplace.ts'
import type { Reader } from './candidate.ts'
import { importAll } from './importing.ts'
import { openUserTable, type Columns } from './postgres.ts'
import { systemMAttachments } from './system-m-attachments.ts'
import { systemMAvatars } from './system-m-avatars.ts'
import { systemR } from './system-r.ts'
import { openReportFile, type ImportReport } from './tally.ts'
import { oldFolder } from './tree.ts'

export type ImportConfig = WorkplaceConfig & PictureConfig & Pick<Config, 'avatarMaxBytes' | 'attachmentMaxBytes'>

type How = {
  /** False: a dry run. */
  readonly isRun: boolean
  readonly progress: Progress
  /** A file that gets a line for each candidate. */
  readonly reportFile?: string | undefined
  readonly now?: () => Date
  readonly fs?: FileSystem
}

type Visibility = 'public' | 'private'

export type FromSystemR = How & { readonly databaseUrl: string, readonly publicDir?: string | undefined, readonly table: string, readonly columns: Columns, readonly openTable?: typeof openUserTable }
export type FromAvatars = How & { readonly folder: string, readonly users?: string | undefined, readonly owner?: string | undefined, readonly visibility: Visibility }
export type FromAttachments = How & { readonly folder: string, readonly index?: string | undefined, readonly owner?: string | undefined, readonly visibility: Visibility }

/** @throws Refusal, ConfigError */
export async function importSystemR (config: ImportConfig, how: FromSystemR): Promise<ImportReport> {
  const { databaseUrl, publicDir, columns, openTable = openUserTable, now = () => new Date() } = how
  const root = publicDir === undefined ? undefined : await oldFolder(publicDir, config.uploadsDir)
  const table = await openTable({ url: databaseUrl, table: how.table, columns })
  try {
    return await moveIn(config, how, root, systemR({ table, tableName: how.table, publicDir: root, now }))
  } finally {
    await table.close()
  }
}

/** @throws Refusal, ConfigError */
export async function importSystemMAvatars (config: ImportConfig, how: FromAvatars): Promise<ImportReport> {
  const { folder, users, owner, visibility, now = () => new Date() } = how
  const root = await oldFolder(folder, config.uploadsDir)
  return moveIn(config, how, root, systemMAvatars({ root, users, ownerId: ownerNamed(owner), visibility, now }))
}

/** @throws Refusal, ConfigError */
export async function importSystemMAttachments (config: ImportConfig, how: FromAttachments): Promise<ImportReport> {
  const { folder, index, owner, visibility, now = () => new Date() } = how
  const root = await oldFolder(folder, config.uploadsDir)
  return moveIn(config, how, root, systemMAttachments({ root, index, ownerId: ownerNamed(owner), visibility, now }))
}

function ownerNamed (owner: string | undefined): UserId | undefined {
  const id = asUserId(owner)
  if (owner !== undefined && id === undefined) throw new ConfigError('--owner must be 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me".')
  return id
}

async function moveIn (config: ImportConfig, { isRun, progress, reportFile, now = () => new Date(), fs }: How, root: string | undefined, reader: Reader): Promise<ImportReport> {
  if (reportFile !== undefined && root !== undefined) await refuseWithin(root, reportFile)
  return atWork(config, { work: 'import', onlyReads: !isRun, now, ...(fs && { fs }) }, async ({ client, storage: { store, hash }, settling, tombstones }) => {
    const lines = reportFile === undefined ? undefined : await openReportFile(reportFile)
    const owners = createOwners({ client, hash })
    const records = createImportRecords({ client, owners, hash, now })
    try {
      return await withProcesses(config, (processes) => importAll({ store, records, owners, settling, tombstones, limits: config, processes: patiently(processes, setTimeout), now }, reader, { isDryRun: !isRun, progress, lines }))
    } finally {
      await lines?.close()
    }
  })
}

/** Nothing at the source is changed, and nothing of ours must be found there by the next run. */
async function refuseWithin (root: string, reportFile: string): Promise<void> {
  const folder = await realpath(dirname(resolve(reportFile))).catch(() => '/')
  if (isWithin(root, folder)) throw new Refusal(`The report file ${reportFile} lies in the folder to import from, where nothing is written. Give --report a file elsewhere.`)
}
