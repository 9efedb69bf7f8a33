import { test } from 'tap'
import { ObjectsFull, ObjectsRefused, ObjectsUnavailable } from '../../../src/storage/objects/objects.ts'
import { checkObjects, probeKey, requireWritable } from '../../../src/storage/objects/readiness.ts'
import { storeFor } from './fixture.ts'

const key = probeKey('x')

test('a store that takes an object and gives it back is ready, also when it is full', async (t) => {
  const { objects } = await storeFor(t)
  await checkObjects(objects, key)
  await checkObjects(objects, key)
  t.strictSame(objects.keys(), ['staging/x/probe'])
  objects.before = (operation) => { if (operation === 'putBytes') throw new ObjectsFull('full') }
  await checkObjects(objects, key)
  await requireWritable(objects)
})

test('one that does not answer, or gives back something else, is not', async (t) => {
  const { objects } = await storeFor(t)
  objects.after = (operation) => { if (operation === 'putBytes') objects.spoil(key, Buffer.from('other')) }
  await t.rejects(checkObjects(objects, key), { code: 'STORAGE_UNAVAILABLE', cause: { message: /other bytes/ } })
  objects.after = () => {}
  await checkObjects(objects, key)
  objects.before = () => { throw new ObjectsUnavailable('away') }
  await t.rejects(checkObjects(objects, key), { code: 'STORAGE_UNAVAILABLE' })
})

test('a start is refused with what to do, and one that goes on leaves nothing', async (t) => {
  const { objects } = await storeFor(t)
  await requireWritable(objects)
  t.strictSame(objects.keys(), [])
  objects.before = () => { throw new ObjectsRefused('Allow s3:PutObject to this user.') }
  await t.rejects(requireWritable(objects), { name: 'ConfigError', message: 'The object store memory cannot be used: Allow s3:PutObject to this user.' })
  objects.before = () => { throw 'odd' } // eslint-disable-line no-throw-literal -- what foreign code may do
  await t.rejects(requireWritable(objects), { name: 'ConfigError', message: /cannot be used: / })
})
