// Free space: what uploads may take, what is left alone, and what uploads in flight have been promised.
import { StorageFull } from '../errors.ts'
import { storing } from './failures.ts'
import type { FileSystem } from './fs.ts'
import type { Reservation } from './store.ts'

const largestDefaultReserve = 2 * 1024 ** 3
const defaultReserveShare = 0.05

/** Inodes that uploads leave alone: a delete writes a sidecar, the next start a heartbeat. */
const reserveFiles = 16

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

  async function measure () {
    const { bavail, blocks, bsize, files, ffree } = await fs.statfs(folder)
    return {
      freeBytes: bavail * bsize,
      // Some file systems have no fixed number of inodes, and say 0.
      hasFreeFiles: files === 0 || ffree >= reserveFiles,
      reserveBytes: reserveBytes ?? Math.min(blocks * bsize * defaultReserveShare, largestDefaultReserve),
    }
  }

  /** Bytes that are missing; 0 when there is room. */
  async function lacking (bytes: number): Promise<number> {
    const { freeBytes, reserveBytes, hasFreeFiles } = await storing(measure)
    return Math.max(reserveBytes + bytes - freeBytes, hasFreeFiles ? 0 : 1)
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
