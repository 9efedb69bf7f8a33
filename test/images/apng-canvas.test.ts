import { test } from 'tap'
import { composed } from '../../src/images/apng-canvas.ts'
import { splitApng } from '../../src/images/apng.ts'
import { apng, plain, type MadeFrame } from './made.ts'

const colour = (r: number, g: number, b: number, alpha = 1) => ({ r, g, b, alpha })
const red = colour(255, 0, 0)
const lime = colour(0, 255, 0)
const none = [0, 0, 0, 0]

/** What is seen in the middle of the frame, and beside it, after each frame on a canvas of 6 by 4 pixels. */
async function seen (frames: MadeFrame[]): Promise<number[][][]> {
  const after = []
  for await (const canvas of composed(splitApng(await apng(frames)).frames, { width: 6, height: 4 })) after.push([[2, 1], [5, 3]].map(([x = 0, y = 0]) => [...canvas.subarray((y * 6 + x) * 4).subarray(0, 4)]))
  return after
}

const canvas = (background = red, rest = {}) => ({ picture: plain(6, 4, background), ...rest })
const part = (background = lime, rest = {}) => ({ picture: plain(3, 2, background), left: 1, top: 1, ...rest })
const [isRed, isLime] = [[255, 0, 0, 255], [0, 255, 0, 255]]

test('a frame stays until another is drawn over it', async (t) => {
  t.strictSame(await seen([canvas(), part(), part(red)]), [[isRed, isRed], [isLime, isRed], [isRed, isRed]])
})

test('the place of a frame becomes clear before the next', async (t) => {
  t.strictSame(await seen([canvas(), part(lime, { dispose: 1 }), { picture: plain(1, 1, red) }]), [[isRed, isRed], [isLime, isRed], [none, isRed]])
})

test('what was there before a frame comes back', async (t) => {
  t.strictSame(await seen([canvas(), part(lime, { dispose: 2 }), { picture: plain(1, 1, red) }]), [[isRed, isRed], [isLime, isRed], [isRed, isRed]])
  t.strictSame(await seen([canvas(red, { dispose: 2 }), part()]), [[isRed, isRed], [isLime, none]], 'before the first there was nothing')
})

test('a frame is drawn over what is there, or instead of it', async (t) => {
  const clear = colour(0, 255, 0, 0)
  t.strictSame((await seen([canvas(), part(clear, { blend: 1 })]))[1], [isRed, isRed])
  t.strictSame((await seen([canvas(), part(clear)]))[1]?.map((pixel) => pixel[3]), [0, 255])
  t.strictSame((await seen([canvas(), part(lime, { blend: 1 })]))[1], [isLime, isRed])
  const half = colour(0, 255, 0, 128 / 255)
  t.strictSame((await seen([canvas(), part(half, { blend: 1 })]))[1]?.[0], [127, 128, 0, 255])
  t.strictSame((await seen([canvas(colour(255, 0, 0, 128 / 255)), part(half, { blend: 1 })]))[1]?.[0], [85, 170, 0, 192], 'twice half is three quarters')
})

test('a damaged frame is refused', async (t) => {
  const frames = splitApng(await apng([canvas(), part()])).frames.map((frame) => ({ ...frame, png: frame.png.subarray(0, 50) }))
  await t.rejects(composed(frames, { width: 6, height: 4 }).next())
})
