// The file that a receipt goes into: whole or not at all, whenever the command is killed, and never in place of another. What receipts say is read elsewhere.
import { createHash, randomUUID } from 'node:crypto'
import { access, constants, lstat, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileSystem } from '../storage/fs.ts'
import { createDurable } from '../storage/volume/durable.ts'
import { jwsIn, ReceiptError, type Receipts } from '../users/receipt.ts'
import type { Erased } from '../users/schema.ts'
import { Refusal } from './refusal.ts'

export type HeldReceipt = { readonly erased: Erased, readonly receipt: string }

/**
 * The receipt that is in the file already; undefined when one can be written there.
 * @throws Refusal when something else is there, or nothing can be written
 */
export async function receiptHeldIn (path: string, receipts: Pick<Receipts, 'verify'>): Promise<HeldReceipt | undefined> {
  if (await isFree(path)) return undefined
  const text = await textOf(path)
  const erased = await receipts.verify(text).catch((error: unknown) => {
    if (!(error instanceof ReceiptError)) throw error
    throw new Refusal(`There is a file already at ${path}, and it is no receipt of this gateway. Name another one for the receipt.`, { cause: error })
  })
  return { erased, receipt: jwsIn(text) }
}

/** @throws Refusal; the same command gives the same receipt when it can be written */
export async function writeReceipt (path: string, receipt: string): Promise<void> {
  const part = join(dirname(path), `${partsOf(path)}${randomUUID()}`)
  try {
    await writeFile(part, `${receipt}\n`, { flag: 'wx', mode: 0o600, flush: true })
    // Whoever is first has the name: the rename replaces what this made, which is empty.
    await (await open(path, 'wx', 0o600)).close()
    await rename(part, path)
    await createDurable({ fs: fileSystem, onSyncFailure: () => {} }).syncFolder(dirname(path))
  } catch (error) {
    await rm(part, { force: true }).catch(() => {})
    throw new Refusal(`The user is erased, but ${unwritable(error)} Run this again, with another file if need be: it gives a receipt of all of it.`, { cause: error })
  }
}

/** What the names of unfinished files for this receipt begin with; short, as that of the receipt may be as long as any can. */
const partsOf = (path: string): string => `.erasure-receipt-${createHash('sha256').update(basename(path)).digest('hex').slice(0, 12)}-`

/** An empty file holds nothing: a command that was killed may have left it, and an unfinished one. */
async function isFree (path: string): Promise<boolean> {
  try {
    await access(dirname(path), constants.W_OK | constants.X_OK)
    const there = await lstat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
    const isEmpty = there?.isFile() === true && there.size === 0
    if (there !== undefined && !isEmpty) return false
    for (const name of await readdir(dirname(path))) if (name.startsWith(partsOf(path))) await rm(join(dirname(path), name))
    await rm(path, { force: true })
    return true
  } catch (error) {
    throw new Refusal(`Nothing was erased: ${unwritable(error)}`, { cause: error })
  }
}

/** Not of a pipe, which would be waited for. */
async function textOf (path: string): Promise<string> {
  const isFile = await stat(path).then((found) => found.isFile(), () => false)
  if (!isFile) throw new Refusal(`There is something already at ${path} that is no file. Name another one for the receipt.`)
  return readFile(path, 'utf8')
}

const unwritable = (error: unknown): string => `the receipt cannot be written: ${error instanceof Error ? error.message : String(error)}.`
