import { test } from 'tap'
import { DatabaseUnavailable, StorageFull, StorageUnavailable } from '../../src/errors.ts'
import { errnoOf, ifAbsent, isFull, storing } from '../../src/storage/failures.ts'
import { errnoError } from '../fixtures/faults.ts'

test('no space, no inodes, a quota and a largest file are a full storage', (t) => {
  for (const errno of ['ENOSPC', 'EDQUOT', 'EFBIG']) t.ok(isFull(errnoError(errno)), errno)
  t.ok(isFull(new StorageFull()))
  for (const error of [errnoError('EIO'), new StorageUnavailable(), new Error('ENOSPC'), 'ENOSPC', undefined, Object.assign(new Error('x'), { code: 28 })]) t.notOk(isFull(error))
  t.equal(errnoOf(errnoError('EIO')), 'EIO')
  t.end()
})

test('what is absent is a value, and nothing else is', async (t) => {
  t.equal(await Promise.reject(errnoError('ENOENT')).catch(ifAbsent('none')), 'none')
  await t.rejects(Promise.reject(errnoError('ENOTDIR')).catch(ifAbsent('none')), { code: 'ENOTDIR' })
})

test('a failed call becomes the storage\'s failure, once, with its cause', async (t) => {
  t.equal(await storing(async () => 'done'), 'done')
  await t.rejects(storing(() => Promise.reject(errnoError('EDQUOT'))), { code: 'STORAGE_FULL', statusCode: 507, cause: { code: 'EDQUOT' } })
  await t.rejects(storing(() => Promise.reject(errnoError('EIO'))), { code: 'STORAGE_UNAVAILABLE', statusCode: 503, cause: { code: 'EIO' } })
  for (const error of [new StorageFull(), new StorageUnavailable(), new DatabaseUnavailable()]) {
    t.equal(await storing(() => Promise.reject(error)).catch((reason: unknown) => reason), error)
  }
})
