// What a failed file-system call means: the storage is full, or it cannot do its work. Errors are wrapped here, once.
import { StorageFull, StorageUnavailable } from '../errors.ts'

/** They say already what they mean. */
const told = new Set(['STORAGE_FULL', 'STORAGE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'])

const fullCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

export const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** No space, no inodes, over a disk quota, or over the largest file allowed. */
export const isFull = (error: unknown): boolean => fullCodes.has(errnoOf(error) ?? '') || errnoOf(error) === 'STORAGE_FULL'

/** For `catch`: `value` where there is nothing. @throws every other error */
export const ifAbsent = <T>(value: T) => (error: unknown): T => {
  if (errnoOf(error) !== 'ENOENT') throw error
  return value
}

/** Full, or mounted read-only. */
export const isUnwritable = (error: unknown): boolean => isFull(error) || errnoOf(error) === 'EROFS'

/** Awaits `work`; whatever it throws becomes StorageFull or StorageUnavailable, with the cause. */
export async function storing<T> (work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const code = errnoOf(error)
    if (code !== undefined && told.has(code)) throw error
    throw isFull(error) ? new StorageFull({ cause: error }) : new StorageUnavailable({ cause: error })
  }
}
