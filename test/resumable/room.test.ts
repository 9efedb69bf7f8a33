import { mock } from 'node:test'
import { test } from 'tap'
import { createRoom } from '../../src/resumable/room.ts'
import type { UploadId } from '../../src/storage/ids.ts'

test('space is promised while a client goes on, and given back when nobody comes any more', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  let promised = 0
  const room = createRoom({
    async reserve (bytes) {
      let held = bytes
      promised += held
      const consume = (count: number) => { promised -= Math.min(count, held); held -= Math.min(count, held) }
      return { consume, release: () => consume(held) }
    },
  })
  const [one, two] = ['one' as UploadId, 'two' as UploadId]
  await room.need(one, 100)
  await room.need(two, 10)
  room.consume(one, 30)
  room.consume('nobody' as UploadId, 30)
  t.equal(promised, 80)
  mock.timers.tick(4 * 60_000)
  await room.need(one, 70)
  t.equal(promised, 80, 'not twice')
  mock.timers.tick(4 * 60_000)
  t.equal(promised, 70, 'the other gave up')
  await room.need(one, 80)
  t.equal(promised, 80, 'more than was promised')
  await room.need(one, 70)
  t.equal(promised, 80, 'less is in that')
  room.consume(one, 10)
  t.equal(promised, 70)
  room.release(two)
  mock.timers.tick(5 * 60_000)
  t.equal(promised, 0)
  await room.need(one, 70)
  await room.need(two, 5)
  t.equal(promised, 75, 'who comes back asks again')
  room.releaseAll()
  t.equal(promised, 0)
})
