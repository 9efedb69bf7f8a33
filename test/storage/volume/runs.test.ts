import { test } from 'tap'
import { newUploadId } from '../../../src/storage/ids.ts'
import { createRuns, isAsLeft, type Run } from '../../../src/storage/volume/runs.ts'

function setUp () {
  const dropped: string[] = []
  const runOf = (name: string, uploadId = newUploadId()): Run => ({
    segment: { uploadId, start: 0, epoch: 1, bytes: 5 },
    hashing: { update: async (bytes) => bytes, digest: async () => name, drop: () => dropped.push(name) },
    left: { ino: 1, size: 5, mtimeMs: 2 },
  })
  return { runs: createRuns(2), runOf, dropped }
}

test('a run is its taker\'s, once, when it is all that counts', (t) => {
  const { runs, runOf, dropped } = setUp()
  const run = runOf('one')
  const { segment } = run
  const { uploadId } = segment
  runs.keep(run)
  t.ok(runs.has(uploadId))
  t.equal(runs.takeAll(uploadId, [{ ...segment }]), run)
  t.notOk(runs.has(uploadId))
  t.equal(runs.takeAll(uploadId, [segment]), undefined)
  t.equal(runs.takeAll(uploadId, []), undefined)
  t.strictSame(dropped, [])
  for (const counted of [[], [segment, segment], [{ ...segment, bytes: 4 }], [{ ...segment, epoch: 2 }], [{ ...segment, start: 1 }]]) {
    runs.keep(runOf('other', uploadId))
    t.equal(runs.takeAll(uploadId, counted), undefined)
  }
  t.equal(dropped.length, 5)
  t.end()
})

test('only so many are remembered, those left last, and one of each upload', (t) => {
  const { runs, runOf, dropped } = setUp()
  const all = ['one', 'two', 'three'].map((name) => runOf(name))
  for (const run of all) runs.keep(run)
  t.strictSame(dropped, ['one'])
  t.strictSame(all.map(({ segment: { uploadId } }) => runs.has(uploadId)), [false, true, true])
  runs.keep(runOf('three again', all[2]?.segment.uploadId))
  t.strictSame(dropped, ['one', 'three'])
  runs.drop(all[1]?.segment.uploadId ?? newUploadId())
  t.strictSame(dropped, ['one', 'three', 'two'])
  t.end()
})

test('a file is as it was left when nobody wrote to it, cut it, or put another in its place', (t) => {
  const left = { ino: 1, size: 5, mtimeMs: 2.5 }
  t.ok(isAsLeft({ ...left }, left))
  for (const other of [{ ino: 2 }, { size: 6 }, { mtimeMs: 2.6 }]) t.notOk(isAsLeft({ ...left, ...other }, left))
  t.end()
})
