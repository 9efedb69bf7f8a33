// What the errors of object stores are to those who know files.
import { test } from 'tap'
import { isFull } from '../../../src/storage/failures.ts'
import { ObjectMissing, ObjectsFull, ObjectsRefused, ObjectsUnavailable, ObjectTaken } from '../../../src/storage/objects/objects.ts'

test('errors carry the codes that calls of the file system have', (t) => {
  const codes = [new ObjectTaken(), new ObjectMissing(), new ObjectsFull(), new ObjectsRefused(), new ObjectsUnavailable()].map(({ name, code }) => [name, code])
  t.strictSame(codes, [['ObjectTaken', 'EEXIST'], ['ObjectMissing', 'ENOENT'], ['ObjectsFull', 'ENOSPC'], ['ObjectsRefused', 'EACCES'], ['ObjectsUnavailable', 'EIO']])
  t.end()
})

test('a store that takes no more is full as a disk is', (t) => {
  t.equal(isFull(new ObjectsFull()), true)
  t.equal(isFull(new ObjectsUnavailable()), false)
  t.end()
})
