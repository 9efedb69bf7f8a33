// Changes of names on the volume, each durable before the next, and none that ever replaces a file.
import { dirname } from 'node:path'
import { createDurable } from '../../storage/volume/durable.ts'
import { inspect } from '../../storage/volume/inspect.ts'
import type { Workplace } from '../workplace.ts'

export type Moving = ReturnType<typeof createMoving>

export function createMoving ({ fs, root, storage }: Pick<Workplace, 'fs' | 'root' | 'storage'>) {
  const durable = createDurable({ fs, onSyncFailure: () => storage.probe.noteSyncFailure() })

  async function rename (from: string, to: string): Promise<void> {
    if ((await inspect(fs, to)).is !== 'nothing') throw new Error(`There is something at ${to} by now.`)
    await fs.rename(from, to)
    await durable.syncFolder(dirname(to))
    if (dirname(from) !== dirname(to)) await durable.syncFolder(dirname(from))
  }

  return {
    /** Into its place, its bytes durable first: who put the file where it was may not have cared. */
    async move (from: string, to: string): Promise<void> {
      const handle = await fs.open(from, 'r')
      try {
        await durable.sync(handle)
      } finally {
        await handle.close()
      }
      await durable.folder(dirname(to), root)
      await rename(from, to)
    },

    /** Beside its place, under a name that no file has. Returns it. */
    async aside (path: string): Promise<string> {
      for (let count = 1; ; count += 1) {
        const name = `${path}.damaged${count === 1 ? '' : `-${count}`}`
        if ((await inspect(fs, name)).is !== 'nothing') continue
        await rename(path, name)
        return name
      }
    },
  }
}
