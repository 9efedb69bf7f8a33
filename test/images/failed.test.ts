import { test } from 'tap'
import { ImageInvalid } from '../../src/errors.ts'
import { createFailed } from '../../src/images/failed.ts'
import { newBlobId } from '../../src/storage/ids.ts'

test('what is of the moment is not remembered; what is of the picture is, as what it means', (t) => {
  const failed = createFailed(() => 1)
  const one = { blobId: newBlobId(), isProven: false }
  const [ofOurs, damaged] = [new Error('a fault of ours'), Object.assign(new Error(), { code: 'IMAGE_INVALID' })]
  t.equal(failed.note(one, ofOurs), ofOurs)
  failed.refuse(one)
  const meaning = failed.note(one, damaged)
  t.match(meaning, new ImageInvalid({ cause: damaged }))
  t.throws(() => failed.refuse(one), meaning as Error)
  t.equal(failed.note(one, meaning), meaning, 'what was refused is told on as it is')
  failed.refuse({ ...one, blobId: newBlobId() })
  t.end()
})
