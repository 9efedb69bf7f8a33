// The staged files of one request: all of them are handed over, or none stays.
import type { StagedFile, Store } from '../storage/store.ts'
import type { Incoming } from './incoming.ts'

export type StagingArea = {
  open (): Promise<StagedFile>
  discardAll (): Promise<void>
}

export function createStagingArea (store: Pick<Store, 'stage'>, incoming: Incoming): StagingArea {
  const opened: StagedFile[] = []
  return {
    async open () {
      const staged = await incoming.ours(store.stage())
      opened.push(staged)
      return staged
    },
    async discardAll () {
      await Promise.all(opened.map((staged) => staged.discard()))
    },
  }
}
