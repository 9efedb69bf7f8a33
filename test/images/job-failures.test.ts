import { test } from 'tap'
import { errorTable, ImagesBusy } from '../../src/errors.ts'
import { isOfThePicture, meaningOf } from '../../src/images/job-failures.ts'

test('what fails in a job is told in the codes of the service', async (t) => {
  const cases: Array<[code: string, told: string]> = [
    ['IMAGE_INVALID', 'IMAGE_INVALID'],
    ['IMAGE_TOO_LARGE', 'IMAGE_TOO_LARGE'],
    ['METADATA_UNREADABLE', 'METADATA_UNREADABLE'],
    ['JOB_CRASHED', 'IMAGE_INVALID'],
    ['JOB_TIMED_OUT', 'IMAGE_TOO_SLOW'],
  ]
  for (const [code, told] of cases) {
    const cause = Object.assign(new Error('libvips says no'), { code })
    const meaning = meaningOf(cause)
    t.match(meaning, { code: told, statusCode: errorTable.find((entry) => entry.code === told)?.status ?? NaN, cause })
    t.notMatch(String(meaning), /libvips|%s/)
  }
})

test('what is no failure of the picture stays what it is', async (t) => {
  for (const error of [new ImagesBusy(), new Error('a fault of ours'), Object.assign(new Error('foreign'), { code: 'EIO' }), undefined, 'IMAGE_INVALID']) t.equal(meaningOf(error), error)
})

test('a failure is of the picture when it would come to the same again, as a job told it or as the service does', async (t) => {
  for (const code of ['IMAGE_INVALID', 'IMAGE_TOO_LARGE', 'METADATA_UNREADABLE', 'JOB_CRASHED', 'JOB_TIMED_OUT']) {
    const error = Object.assign(new Error('of the job'), { code })
    t.same([isOfThePicture(error), isOfThePicture(meaningOf(error))], [true, true], code)
  }
  for (const error of [new ImagesBusy(), new Error('a fault of ours'), Object.assign(new Error('foreign'), { code: 'EIO' }), undefined]) t.notOk(isOfThePicture(error))
})
