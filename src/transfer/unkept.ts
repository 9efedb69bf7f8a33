// A store that keeps nothing: for a body of which only sizes and hashes are wanted, so that it is read also when the disk is full.
import { createHash } from 'node:crypto'
import type { StagedFile, Store } from '../storage/store.ts'

export const unkept: Pick<Store, 'stage' | 'reserve'> = {
  async stage (): Promise<StagedFile> {
    const hash = createHash('sha256')
    let size = 0
    return {
      path: '',
      get size () { return size },
      async write (chunk) {
        hash.update(chunk)
        size += chunk.length
      },
      finish: async () => ({ size, sha256: hash.digest('hex') }),
      head: async () => Buffer.alloc(0),
      discard: async () => {},
    }
  },
  reserve: async () => ({ consume () {}, release () {} }),
}
