import { writeFile } from 'node:fs/promises'
import { test } from 'tap'
import { decoding, pictureError } from '../../src/images/picture-error.ts'

const fail = (error: unknown) => async () => { throw error }
const file = (path: string) => ({ path, contentType: 'image/png' } as const)

test('what decodes well is handed on', async (t) => {
  t.equal(await decoding(file('/not/even/looked/at'), async () => 7), 7)
})

test('what fails while a file can be read is the fault of the picture', async (t) => {
  const path = `${t.testdir({})}/picture`
  await writeFile(path, 'hello')
  await t.rejects(decoding(file(path), fail(new Error('premature end'))), { code: 'IMAGE_INVALID', message: /premature end/, cause: { message: 'premature end' } })
  await t.rejects(decoding(file(path), fail(new RangeError('out of range'))), { code: 'IMAGE_INVALID' })
  await t.rejects(decoding(file(path), fail(Object.assign(new RangeError('offset'), { code: 'ERR_OUT_OF_RANGE' }))), { code: 'IMAGE_INVALID' }, 'whatever code it has')
})

test('what is known better stays what it is', async (t) => {
  await t.rejects(decoding(file('/nowhere'), fail(pictureError('IMAGE_TOO_LARGE', 'too large'))), { code: 'IMAGE_TOO_LARGE', message: 'too large' })
  await t.rejects(decoding(file('/nowhere'), fail(pictureError('METADATA_UNREADABLE', 'a loop'))), { code: 'METADATA_UNREADABLE' })
})

test('what fails because the file cannot be read is the fault of the volume', async (t) => {
  await t.rejects(decoding(file(`${t.testdir({})}/nothing`), fail(new Error('Input file is missing'))), { code: 'ENOENT' })
  await t.rejects(decoding(file(t.testdir({})), fail(new Error('no picture'))), { code: 'EISDIR' })
})

test('what is in memory cannot fail to be read', async (t) => {
  await t.rejects(decoding({ bytes: Buffer.from('hello'), contentType: 'image/png' }, fail(new Error('premature end'))), { code: 'IMAGE_INVALID', message: /premature end/ })
})
