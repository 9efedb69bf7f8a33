// Journals of several places made into one: a line that is anywhere is there, once. Each line proves itself elsewhere.
import { dirname } from 'node:path'
import type { FileSystem } from '../../storage/fs.ts'
import { writeAll, type Durable } from '../../storage/volume/durable.ts'
import { readText } from './snapshots.ts'

/** Appends durably to the file `target`, made when absent, the lines that one of `sources` has and it has not. */
export async function uniteLines ({ fs, durable, target, sources }: { fs: FileSystem, durable: Durable, target: string, sources: readonly string[] }): Promise<void> {
  const own = await readText(fs, target)
  const known = new Set(linesIn(own))
  const missing: string[] = []
  for (const source of sources) {
    for (const line of linesIn(await readText(fs, source))) {
      if (known.has(line)) continue
      known.add(line)
      missing.push(line)
    }
  }
  if (own !== undefined && missing.length === 0) return
  const handle = await fs.open(target, 'a', 0o640)
  try {
    // A process that died may have left half a line: what follows it must not become a part of that.
    if (missing.length > 0) await writeAll(handle, [Buffer.from(`\n${missing.join('\n')}\n`)], 0)
    await durable.sync(handle)
  } finally {
    await handle.close()
  }
  await durable.syncFolder(dirname(target))
}

const linesIn = (text = ''): string[] => text.split('\n').filter((line) => line !== '')
