// Writes a sidecar anew from its row, which counts unless the sidecar is ahead: a missing one, a damaged one, or one that says something else.
import { dirname, join, relative } from 'node:path'
import { detour, inspect } from '../../storage/volume/inspect.ts'
import { sidecarPath } from '../../storage/volume/layout.ts'
import { databaseIsOlder } from '../verify/observed.ts'
import { isAheadOf, readSidecarFile } from '../verify/rows.ts'
import { isRight, left, type Mending, type Tools } from './mending.ts'

/** `elsewhere`: a file of the very name in a wrong place, relative to the root. */
export async function mendSidecar (tools: Tools, id: string, elsewhere: string | undefined): Promise<Mending> {
  const { fs, root, inventory, moving, ledger, settling } = tools
  const row = (await inventory.items([id])).get(id)?.sidecar
  if (row === undefined) return isRight
  const path = sidecarPath(root, row)
  const around = await detour(fs, root, dirname(path))
  if (around !== undefined) return left(`Put a folder in the place of ${relative(root, around)}, which is a link or none.`)
  if (isAheadOf(row, await readSidecarFile(fs, path))) return left(databaseIsOlder)
  const there = await inspect(fs, path)
  return {
    action: 'Write it anew from the record.',
    done: 'It was written anew from the record.',
    async mend () {
      // A damaged sidecar says nothing that the row does not; a link or a folder may be somebody's.
      if (there.is !== 'file' && there.is !== 'nothing') await moving.aside(path)
      if (there.is === 'nothing' && elsewhere !== undefined) await moving.move(join(root, elsewhere), path)
      await ledger.oweSidecar(row.id)
      await settling.settle(row.id)
    },
  }
}
