// Brings the lines of the journals to the new home that it has not: journals are sets, so which of both homes had a line first is no matter.
import { join } from 'node:path'
import { ifAbsent } from '../../storage/failures.ts'
import { openForAppending, readOrdinaryText } from '../../storage/ordinary-file.ts'
import { createDurable, writeAll } from '../../storage/volume/durable.ts'
import type { Alone } from '../../storage/volume/journal.ts'
import { erasuresFile, tombstonesFile } from '../../storage/volume/layout.ts'
import type { Side } from './sides.ts'

const fileMode = 0o640

/** Returns how many lines were added. */
export async function copyJournals (source: Side, target: Side, alone: Alone): Promise<number> {
  let added = 0
  for (const file of [erasuresFile, tombstonesFile]) added += await alone(() => copyJournal(source, target, file))
  return added
}

async function copyJournal (source: Side, target: Side, file: string): Promise<number> {
  const [from, to] = [await linesOf(source, file), await linesOf(target, file)]
  const missing = [...from ?? []].filter((line) => to?.has(line) !== true)
  // One without a line counts too: that nobody was erased is known then.
  if (from === undefined || (missing.length === 0 && to !== undefined)) return 0
  await append(target, file, `\n${missing.map((line) => `${line}\n`).join('')}`)
  return missing.length
}

async function append ({ fs, root }: Side, file: string, text: string): Promise<void> {
  const handle = await openForAppending(fs, join(root, file), fileMode)
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  try {
    await writeAll(handle, [Buffer.from(text)], 0)
    await durable.sync(handle)
  } finally {
    await handle.close()
  }
  await durable.syncFolder(root)
}

/** Undefined when there is no such file. */
async function linesOf ({ fs, root }: Side, file: string): Promise<Set<string> | undefined> {
  const text = await readOrdinaryText(fs, join(root, file)).catch(ifAbsent(undefined))
  return text === undefined ? undefined : new Set(text.split('\n').filter((line) => line !== ''))
}
