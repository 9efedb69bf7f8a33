// Free space: what uploads may take, what is left alone, and what uploads in flight have been promised.
import { StorageFull } from '../errors.ts'
import { storing } from './failures.ts'
import type { FileSystem } from './fs.ts'
import type { Reservation } from './store.ts'

const largestDefaultReserve = 2 * 1024 ** 3
const defaultReserveShare = 0.05

/** Inodes that uploads leave alone: a delete writes a sidecar, the next start a heartbeat. */
const reserveFiles = 16

/** Within this time nobody takes as much as `ample`: who finds more free than that need not look again. */
const ampleForMs = 100
const ample = { bytes: 2 * 1024 ** 3, files: 100_000 }

export type Space = {
  /** Bytes free for uploads right now, and the bytes that stay reserved. */
  measure (): Promise<{ freeBytes: number, reserveBytes: number }>
  /** Throws StorageFull when `bytes` more, on top of all that is promised, would touch the reserve. */
  reserve (bytes: number): Promise<Reservation>
  /** Throws StorageFull when the reserve is touched already. */
  check (): Promise<void>
  /** Asked for so many bytes before anything is refused for want of space. */
  onFull (makeRoom: MakeRoom): void
}

/** Removes what can be made again; it need not reach `bytes`. */
export type MakeRoom = (bytes: number) => Promise<void>

/** `reserveBytes` undefined: the smaller of 5 % of the file system and 2 GiB. */
export function createSpace ({ fs, folder, reserveBytes }: { fs: FileSystem, folder: string, reserveBytes: number | undefined }): Space {
  let promisedBytes = 0
  let makeRoom: MakeRoom = async () => {}
  /** Bytes beyond the reserve that were free then. */
  let lately = { atMs: -Infinity, bytes: 0 }

  async function measure () {
    const { bavail, blocks, bsize, files, ffree } = await fs.statfs(folder)
    return {
      freeBytes: bavail * bsize,
      // Some file systems have no fixed number of inodes, and say 0.
      freeFiles: files === 0 ? Infinity : ffree,
      reserveBytes: reserveBytes ?? Math.min(blocks * bsize * defaultReserveShare, largestDefaultReserve),
    }
  }

  /** Bytes that are missing; 0 when there is room. */
  async function lacking (bytes: number): Promise<number> {
    if (performance.now() - lately.atMs < ampleForMs && lately.bytes - bytes > ample.bytes) return 0
    const atMs = performance.now()
    const { freeBytes, reserveBytes, freeFiles } = await storing(measure)
    lately = { atMs, bytes: freeFiles > ample.files ? freeBytes - reserveBytes : 0 }
    return Math.max(reserveBytes + bytes - freeBytes, freeFiles < reserveFiles ? 1 : 0)
  }

  async function check (bytes: number): Promise<void> {
    const lack = await lacking(bytes)
    if (lack <= 0) return
    await makeRoom(lack)
    if (await lacking(bytes) > 0) throw new StorageFull()
  }

  return {
    measure,
    check: () => check(0),
    onFull (given) { makeRoom = given },
    async reserve (bytes) {
      // Promised before it is measured, so that two at once cannot both take the last of it.
      promisedBytes += bytes
      let held = bytes
      const consume = (count: number) => {
        const consumed = Math.min(count, held)
        held -= consumed
        promisedBytes -= consumed
      }
      const release = () => consume(held)
      try {
        await check(promisedBytes)
      } catch (error) {
        release()
        throw error
      }
      return { consume, release }
    },
  }
}
