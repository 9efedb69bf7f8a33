import { test } from 'tap'
import { jobs } from '../../src/images/jobs.ts'
import { file, quarters } from './made.ts'

test('everything that can be asked of a picture', async (t) => {
  const picture = await file(t, quarters(120, 90).jpeg().toBuffer(), 'image/jpeg')
  t.strictSame(await jobs.header(picture), { width: 120, height: 90, frames: 1, hasAlpha: false, isProgressive: false })
  t.match(await jobs.inspect(picture), { thumbhash: /./ })
  t.match(await jobs.plan(picture), { edits: { length: 0 } })
  t.equal(await jobs.isSameLook({ ...picture, otherPath: picture.path }), true)
  t.match(await jobs.render({ ...picture, spec: { shape: 'square', size: 32, format: 'webp', isAnimated: false } }), { contentType: 'image/webp', width: 32, height: 32 })
  t.match(await jobs.master(picture), { contentType: 'image/jpeg', width: 120, height: 90 })
  t.match(await jobs.draw({ svg: '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>', size: 32, format: 'auto' }), { contentType: 'image/png', width: 32 })
})
