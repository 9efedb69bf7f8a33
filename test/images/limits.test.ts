import { test } from 'tap'
import { canMove, maxAnimatedBytes, refuseTooLarge } from '../../src/images/limits.ts'

test('40 megapixels and 10 000 pixels a side are decoded, and no more', async (t) => {
  for (const [width, height] of [[8000, 5000], [10_000, 4000], [10_000, 1], [1, 1]] as const) t.doesNotThrow(() => refuseTooLarge({ width, height }))
  for (const [width, height] of [[8000, 5001], [10_001, 1], [1, 10_001], [65_535, 65_535]] as const) {
    t.throws(() => refuseTooLarge({ width, height }), { code: 'IMAGE_TOO_LARGE' }, `${width} x ${height}`)
  }
})

test('an animation moves up to 200 frames, 10 MiB and 40 megapixels of all its frames', async (t) => {
  t.ok(canMove({ width: 500, height: 400, frames: 200 }, maxAnimatedBytes))
  t.notOk(canMove({ width: 500, height: 400, frames: 1 }, 1000), 'one frame does not')
  t.notOk(canMove({ width: 1, height: 1, frames: 201 }, 1000))
  t.notOk(canMove({ width: 500, height: 401, frames: 200 }, 1000))
  t.notOk(canMove({ width: 1, height: 1, frames: 2 }, maxAnimatedBytes + 1))
})
