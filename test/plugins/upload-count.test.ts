import { test } from 'tap'
import { countingUploads } from '../../src/plugins/upload-count.ts'

function setUp () {
  const counted: unknown[][] = []
  const count = countingUploads({ uploadKept: (...said) => counted.push(['kept', ...said]), uploadLost: (...said) => counted.push(['lost', ...said]) }, 'avatar')
  return { counted, count }
}

test('an upload that is kept counts with its bytes and the time it took', async (t) => {
  const { counted, count } = setUp()
  const kept = await count(async () => {
    await new Promise((resolve) => { setTimeout(resolve, 20) })
    return { size: 7 }
  }, ({ size }) => size)
  t.strictSame(kept, { size: 7 })
  const [[outcome, kind, bytes, seconds] = []] = counted
  t.strictSame([counted.length, outcome, kind, bytes], [1, 'kept', 'avatar', 7])
  t.ok(Number(seconds) >= 0.015 && Number(seconds) < 5, 'in seconds')
})

test('one that is lost counts as such, and its error goes on', async (t) => {
  const { counted, count } = setUp()
  const error = new Error('full')
  t.equal(await count(() => Promise.reject(error), () => { throw new Error('nothing was kept') }).catch((reason: unknown) => reason), error)
  t.match(counted, [['lost', 'avatar', error, Number]])
})

test('one that kept nothing anew, as it was only answered again, is no upload', async (t) => {
  const { counted, count } = setUp()
  t.equal(await count(async () => 'the answer', () => undefined), 'the answer')
  t.strictSame(counted, [])
})
