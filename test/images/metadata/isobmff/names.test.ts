import { test } from 'tap'
import { isNameOfProgram } from '../../../../src/images/metadata/isobmff/names.ts'

test('names that programs give are told from those that people do', (t) => {
  for (const name of ['', '   ', 'Color', 'Alpha', 'GMap', 'SampleTransform', 'Exif', 'XMP', 'HEVC Image', 'L-HEVC Image', 'Image', 'Derived image', 'Generically compressed Image', 'tile_12']) {
    t.ok(isNameOfProgram(name), name)
  }
  for (const name of ['Ada', 'Image of Ada', 'IMG_1234', 'image.heic', 'Color\n', 'Alpha'.repeat(13)]) t.notOk(isNameOfProgram(name), name)
  t.end()
})

test('no name takes long', (t) => {
  const start = performance.now()
  for (const name of ['l'.repeat(63) + '!', 'gainmap'.repeat(9) + '!', '1 '.repeat(31) + '!']) t.notOk(isNameOfProgram(name))
  t.ok(performance.now() - start < 200)
  t.end()
})
