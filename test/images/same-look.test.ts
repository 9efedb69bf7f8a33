import realSharp from 'sharp'
import { test } from 'tap'
import { isSameLook } from '../../src/images/same-look.ts'
import type { PictureType } from '../../src/images/types.ts'
import { heif } from '../fixtures/heif.ts'
import { animation, apng, file, plain, quarters, withChunk } from './made.ts'

test('what differs in metadata looks the same, what differs in a pixel does not', async (t) => {
  const compare = async (one: Buffer, other: Buffer, contentType: PictureType) => {
    const [{ path }, { path: otherPath }] = [await file(t, one, contentType), await file(t, other, contentType)]
    return isSameLook({ path, otherPath, contentType })
  }
  const png = await quarters(200, 100).png().toBuffer()
  t.equal(await compare(png, withChunk(png, 'tEXt', [...Buffer.from('Author\0me')]), 'image/png'), true)
  t.equal(await compare(png, await quarters(200, 100).composite([{ input: await plain(9, 9).png().toBuffer(), left: 50, top: 50 }]).png().toBuffer(), 'image/png'), false)
  t.equal(await compare(png, await quarters(202, 101).png().toBuffer(), 'image/png'), false, 'of another size')
  t.equal(await compare(png, withChunk(png, 'cICP', [12, 13, 0, 1]), 'image/png'), false, 'of other colours')

  const upright = await quarters(90, 90).jpeg().toBuffer()
  const turned = await realSharp(upright).withMetadata({ orientation: 6 }).jpeg().toBuffer()
  t.equal(await compare(upright, turned, 'image/jpeg'), false)
  t.equal(await compare(heif('quad'), heif('quad'), 'image/heic'), true)

  const frames = () => [quarters(60, 40), plain(60, 40)]
  const gif = await animation('gif', frames(), { delay: [100, 100] })
  t.equal(await compare(gif, gif, 'image/gif'), true)
  t.equal(await compare(gif, await animation('gif', frames(), { delay: [100, 200] }), 'image/gif'), false, 'slower')
  t.equal(await compare(gif, await animation('gif', [quarters(60, 40), plain(60, 40, 'blue')], { delay: [100, 100] }), 'image/gif'), false, 'another second frame')
  const [slow, fast] = [[1, 10], [1, 20]].map(([seconds = 0, parts = 0]) => apng(frames().map((picture) => ({ picture, delay: [seconds, parts] }))))
  t.equal(await compare(await slow as Buffer, await fast as Buffer, 'image/png'), false)
})

test('a damaged picture is compared as far as it can be shown', async (t) => {
  const whole = await quarters(200, 200).jpeg().toBuffer()
  const damaged = await file(t, whole.subarray(0, whole.length * 0.8), 'image/jpeg')
  const worse = await file(t, whole.subarray(0, whole.length * 0.6), 'image/jpeg')
  const intact = await file(t, whole, 'image/jpeg')
  t.equal(await isSameLook({ ...damaged, otherPath: damaged.path }), true)
  t.equal(await isSameLook({ ...damaged, otherPath: worse.path }), false)
  t.equal(await isSameLook({ ...intact, otherPath: damaged.path }), false)
  const nothing = await file(t, Buffer.from('nothing'), 'image/jpeg')
  await t.rejects(isSameLook({ ...intact, otherPath: nothing.path }), { code: 'IMAGE_INVALID' })
  await t.rejects(isSameLook({ ...intact, otherPath: '/nowhere' }), { code: 'ENOENT' })
})
