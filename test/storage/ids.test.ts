import { v4 } from 'uuid'
import { test } from 'tap'
import { asBlobId, newBlobId, newRecordId, timeOf } from '../../src/storage/ids.ts'

test('an id tells when it was made, and sorts by it', (t) => {
  const before = Date.now()
  const ids = Array.from({ length: 1000 }, newBlobId)
  const made = timeOf(ids[0] ?? newBlobId()).getTime()
  t.ok(made >= before && made <= Date.now())
  t.strictSame(ids.toSorted(), ids)
  t.equal(new Set([...ids, newRecordId()]).size, 1001)
  t.equal(timeOf('017f22e2-79b0-7cc3-98c4-dc0c0c07398f' as ReturnType<typeof newBlobId>).toISOString(), '2022-02-22T19:22:22.000Z', 'the example of RFC 9562')
  t.end()
})

test('only the one spelling of a UUIDv7 is an id', (t) => {
  const id = newBlobId()
  t.equal(asBlobId(id), id)
  for (const text of ['', v4(), id.toUpperCase(), `${id} `, `${id}/..`, `../${id}`, `{${id}}`, id.replaceAll('-', '')]) t.equal(asBlobId(text), undefined, text)
  t.end()
})
