import { test } from 'tap'
import { currentType, isPictureType, pictureTypes, storedPictureTypes } from '../../src/images/types.ts'

test('the types of picture that are shown, and no others', async (t) => {
  t.ok(pictureTypes.every(isPictureType))
  for (const other of ['image/svg+xml', 'image/tiff', 'application/pdf', 'IMAGE/PNG', '']) t.notOk(isPictureType(other), other)
})

test('sequences were stored under types that nothing shows', async (t) => {
  t.same(storedPictureTypes, [...pictureTypes, 'image/heic-sequence', 'image/heif-sequence'])
  t.same(storedPictureTypes.filter(isPictureType), pictureTypes)
  t.ok(storedPictureTypes.map(currentType).every(isPictureType))
  t.equal(currentType('video/mp4'), 'video/mp4')
})
