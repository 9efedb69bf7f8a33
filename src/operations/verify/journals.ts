// Whether the files that only grow can be read, and have what the database has: the ledger of erasures, in each of its places, and the tombstones.
import { join, relative } from 'node:path'
import { inspect } from '../../storage/volume/inspect.ts'
import { erasuresFile, tombstonesFile } from '../../storage/volume/layout.ts'
import { lookAgainMs, type Context } from './context.ts'
import { mends, type Observed } from './observed.ts'

/** An erasure is in the ledger, or was refused, so long after it is in the database. */
const appendingMs = 60_000

const madeAnew = 'The gateway writes it anew at its next start, from the database and the other place, and carries out what was not.'
const lostTombstones = '"upload-gateway audit --repair" writes them anew from the database.'

type Journals = Pick<Context, 'fs' | 'root' | 'now' | 'storage' | 'journaled' | 'pause'>

const damaged = (path: string, detail: string, mend = mends['ledger-damaged']): Observed => ({ problem: 'ledger-damaged', path, detail, mend })

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
  if ((await faultsIn(journals)).length === 0) return []
  await journals.pause(lookAgainMs)
  return faultsIn(journals)
}

const faultsIn = async (journals: Journals): Promise<Observed[]> => [...await faultsInLedger(journals), ...await faultsInTombstones(journals)]

async function faultsInLedger ({ root, now, journaled, storage }: Journals): Promise<Observed[]> {
  // First, as an erasure that begins has its row before its line.
  const recorded = await journaled.erasures(new Date(now().getTime() - appendingMs))
  const { places, erasures } = await storage.erasures.read()
  const written = new Set(erasures.map(({ id }) => id))
  const lost = recorded.filter((id) => !written.has(id)).length
  return [
    ...places.flatMap(({ path, isThere, damagedLines }) => {
      const name = relativeTo(root, path)
      return isThere ? damagedLinesIn(name, damagedLines) : [damaged(name, 'This place of the ledger of erasures is missing.', madeAnew)]
    }),
    ...(lost === 0 ? [] : [damaged(erasuresFile, `The database knows of ${lost === 1 ? 'an erasure' : `${lost} erasures`} that no place of the ledger has.`, madeAnew)]),
  ]
}

async function faultsInTombstones ({ journaled, storage }: Journals): Promise<Observed[]> {
  const { keys, damagedLines } = await storage.tombstones.read()
  const lost = (await journaled.tombstonesBeside(keys)).length
  return [
    ...damagedLinesIn(tombstonesFile, damagedLines),
    ...(lost === 0 ? [] : [damaged(tombstonesFile, `The database knows ${lost} of its keys that it does not have.`, lostTombstones)]),
  ]
}

const damagedLinesIn = (path: string, count: number): Observed[] =>
  count === 0 ? [] : [damaged(path, count === 1 ? 'One line of it is damaged.' : `${count} lines of it are damaged.`)]

/** The second place lies elsewhere. */
const relativeTo = (root: string, path: string): string => path.startsWith(`${root}/`) ? relative(root, path) : path
