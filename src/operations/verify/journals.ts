// Whether the files that only grow can be read: the ledger of erasures, in each of its places, and the tombstones.
import { join, relative } from 'node:path'
import { inspect } from '../../storage/volume/inspect.ts'
import { erasuresFile, tombstonesFile } from '../../storage/volume/layout.ts'
import { lookAgainMs, type Context } from './context.ts'
import { mends, type Observed } from './observed.ts'

type Journals = Pick<Context, 'fs' | 'root' | 'storage' | 'pause'>

const damaged = (path: string, detail: string): Observed => ({ problem: 'ledger-damaged', path, detail, mend: mends['ledger-damaged'] })

/** What cannot be read at all; to be asked before anything reads them. */
export async function unreadableJournals ({ fs, root }: Pick<Journals, 'fs' | 'root'>): Promise<Observed[]> {
  const looks = await Promise.all([erasuresFile, tombstonesFile].map(async (name) => ({ name, look: await inspect(fs, join(root, name)) })))
  return looks.flatMap(({ name, look }) => {
    if (look.is === 'file' || look.is === 'nothing') return []
    return [damaged(name, look.is === 'unreadable' ? `It cannot be read (${look.reason}).` : `In place of the file there is a ${look.is}.`)]
  })
}

/** A line that is being written just now is whole a moment later. */
export async function checkJournals (journals: Journals): Promise<Observed[]> {
  const first = await damagedLines(journals)
  if (first.size === 0) return []
  await journals.pause(lookAgainMs)
  const second = await damagedLines(journals)
  return Array.from(second, ([path, count]) => damaged(path, count === 1 ? 'One line of it is damaged.' : `${count} lines of it are damaged.`))
}

async function damagedLines ({ root, storage: { erasures, tombstones } }: Journals): Promise<Map<string, number>> {
  const { places } = await erasures.read()
  const lines = [...places.map(({ path, damagedLines }) => [relativeTo(root, path), damagedLines] as const), [tombstonesFile, (await tombstones.read()).damagedLines] as const]
  return new Map(lines.filter(([, count]) => count > 0))
}

/** The second place lies elsewhere. */
const relativeTo = (root: string, path: string): string => path.startsWith(`${root}/`) ? relative(root, path) : path
