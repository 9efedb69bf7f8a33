// Puts the bytes of a blob back under its name, from wherever they are; what is there instead is kept beside it.
import { dirname, relative } from 'node:path'
import type { Sidecar } from '../../storage/sidecar.ts'
import type { StagedFile } from '../../storage/store.ts'
import { detour, inspect } from '../../storage/volume/inspect.ts'
import { blobPath } from '../../storage/volume/layout.ts'
import { isRight, left, type Mending, type Tools } from './mending.ts'
import type { Source } from './sources.ts'

const copiedBytes = 1024 ** 2

export async function mendBlob (tools: Tools, id: string): Promise<Mending> {
  const { fs, root, inventory, sources } = tools
  const row = (await inventory.items([id])).get(id)?.sidecar
  if (row === undefined) return isRight
  const path = blobPath(root, row)
  const around = await detour(fs, root, dirname(path))
  if (around !== undefined) return left(`Put a folder in the place of ${relative(root, around)}, which is a link or none.`)
  const there = await inspect(fs, path, { isHashed: true })
  if (there.is === 'file' && there.size === row.size && there.sha256 === row.sha256) return isRight
  if (there.is === 'unreadable') return left(`It cannot be read (${there.reason}).`)
  const source = await sources.find(row)
  if (source === undefined) return left(sources.nowhere)
  const kept = there.is === 'nothing' ? '' : `; what is there now is kept beside it as ${relative(root, path)}.damaged`
  return {
    action: `${source.isMovable ? 'Rename' : 'Copy'} ${source.shown} to it${kept}.`,
    done: `${source.shown} was ${source.isMovable ? 'renamed' : 'copied'} to it${there.is === 'nothing' ? '' : '; what was there is kept beside it'}.`,
    async mend () {
      await putBytes(tools, row, source, there.is !== 'nothing')
      await takeBackPurged(tools, row)
    },
  }
}

/** Whoever erased or purged it meanwhile may have looked before the bytes were back. */
async function takeBackPurged ({ inventory, storage: { store } }: Tools, blob: Sidecar): Promise<void> {
  if ((await inventory.items([blob.id])).has(blob.id)) return
  await store.removeForGood(blob)
  throw new Error('It was erased or removed for good meanwhile, so what was put back is gone again.')
}

/** A copy is whole and durable in staging before anything else is touched; a rename needs no such care. */
export async function putBytes (tools: Tools, blob: Sidecar, source: Source, isTaken: boolean): Promise<void> {
  const { root, storage: { store }, ledger, settling, sources, moving } = tools
  const path = blobPath(root, blob)
  const staged = source.isMovable ? undefined : await stageCopy(tools, source.path, blob)
  try {
    if (isTaken) sources.moved(path, await moving.aside(path))
    if (staged === undefined) {
      await moving.move(source.path, path)
    } else {
      // Publishing writes the sidecar too: whatever happens meanwhile, the row's last word is written after it.
      await ledger.oweSidecar(blob.id)
      await store.publish(staged, blob)
      await settling.settle(blob.id)
    }
    sources.settled(source.isMovable ? source.path : path)
  } finally {
    await staged?.discard()
  }
}

async function stageCopy ({ fs, storage: { store } }: Tools, path: string, { size, sha256 }: Sidecar): Promise<StagedFile> {
  const staged = await store.stage()
  try {
    const handle = await fs.open(path, 'r')
    try {
      for await (const chunk of handle.createReadStream({ highWaterMark: copiedBytes, autoClose: false })) await staged.write(chunk as Buffer)
    } finally {
      await handle.close()
    }
    const copied = await staged.finish()
    if (copied.size !== size || copied.sha256 !== sha256) throw new Error(`${path} changed while it was copied.`)
    return staged
  } catch (error) {
    await staged.discard()
    throw error
  }
}
