import { test } from 'tap'
import { createTally, mostLeft } from '../../../src/operations/privacy/tally.ts'
import { left } from '../../../src/operations/privacy/stripping.ts'
import { sidecarFor } from '../../storage/fixtures/volume.ts'

test('what was done is counted with its bytes, and what is somebody else\'s is not', (t) => {
  const tally = createTally()
  const one = sidecarFor('hello')
  tally.add(one, { outcome: 'clean' })
  tally.add(one, { outcome: 'gone' })
  tally.add(one, { outcome: 'stripped', removed: ['location', 'exif'], bytes: 3 })
  tally.add(one, { outcome: 'stripped', removed: ['exif'], bytes: 4 })
  t.strictSame(tally.report(), {
    lookedAt: { files: 3, bytes: 15 }, clean: { files: 1, bytes: 5 }, stripped: { files: 2, bytes: 10, bytesAfter: 7 },
    removed: { location: 1, exif: 2 }, left: [], moreLeft: 0,
  })
  t.end()
})

test('what is left is listed as far as anybody reads, and counted beyond', (t) => {
  const tally = createTally()
  const one = sidecarFor('x', { recordId: 'r' })
  for (let count = 0; count < mostLeft + 2; count += 1) tally.add(one, left('missing', 'it is missing'))
  const report = tally.report()
  t.match(report, { lookedAt: { files: mostLeft + 2 }, moreLeft: 2 })
  t.strictSame(report.left.length, mostLeft)
  t.strictSame(report.left[0], { id: 'r', blobId: one.id, kind: 'avatar', ownerId: 'ada', code: 'missing', reason: 'it is missing' })
  t.end()
})
