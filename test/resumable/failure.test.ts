import { test } from 'tap'
import { UploadInfected, ScannerUnavailable } from '../../src/errors.ts'
import { failureError, failureOf, isPermanent } from '../../src/resumable/failure.ts'

test('a failure is told later as it was told first', (t) => {
  const infected = failureOf(new UploadInfected('Bad'))
  t.ok(isPermanent(infected))
  t.match(failureError(JSON.parse(JSON.stringify(infected))), { code: 'UPLOAD_INFECTED', statusCode: 422, message: /\(Bad\)/ })
  t.notOk(isPermanent(failureOf(new ScannerUnavailable())))
  t.match(failureOf(new TypeError('of our own')), { code: 'INTERNAL_ERROR', status: 500, detail: /requestId/ }, 'nothing of what went wrong inside')
  t.end()
})
