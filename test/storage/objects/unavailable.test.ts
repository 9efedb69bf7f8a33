import { test } from 'tap'
import { errnoError } from '../../fixtures/faults.ts'
import { unavailable } from '../../../src/storage/objects/unavailable.ts'

test('a store that was not reached is told with what to look at', (t) => {
  const cause = errnoError('ENOTFOUND')
  t.match(unavailable('s3://uploads/ at http://store', 'STORAGE_ENDPOINT', cause), { code: 'EIO', cause, message: /^s3:\/\/uploads\/ at http:\/\/store cannot be reached \(.*ENOTFOUND.*\): see that it runs and is reachable from here, and that STORAGE_ENDPOINT says where it is$/ })
  t.match(unavailable('store', '--to-endpoint', Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })), { message: /^store cannot be reached \(ECONNREFUSED\): .*--to-endpoint/ }, 'of several addresses')
  t.end()
})

test('what a store that was reached says of itself is told as it is', (t) => {
  t.match(unavailable('store', 'STORAGE_ENDPOINT', new Error('too busy')), { code: 'EIO', message: 'store failed: too busy' })
  t.match(unavailable('store', 'STORAGE_ENDPOINT', 'nothing'), { message: 'store failed: nothing' })
  t.end()
})
