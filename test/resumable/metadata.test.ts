import { test } from 'tap'
import { fieldsIn, fileIn, metadataIn } from '../../src/resumable/metadata.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')

test('pairs of names and text, with or without a value', (t) => {
  t.strictSame([...metadataIn(`filename ${base64('Über.txt')}, is_confidential ,empty  ${''},__proto__ ${base64('x')}`)], [['filename', 'Über.txt'], ['is_confidential', ''], ['empty', ''], ['__proto__', 'x']])
  for (const nothing of [undefined, '', ' ', ',']) t.equal(metadataIn(nothing).size, 0)
  t.end()
})

test('what is not that is refused', (t) => {
  for (const wrong of ['a !', 'a YQ== YQ==', 'ä YQ==', `a ${base64('x')},a ${base64('y')}`, 'a =YQ', `a ${Buffer.from([0xff, 0xfe]).toString('base64')}`]) {
    t.throws(() => metadataIn(wrong), { code: 'RESUMABLE_INVALID', statusCode: 400 } as never, wrong)
  }
  t.end()
})

test('names are cleaned as of any upload, and only fields that are asked for are handed over', (t) => {
  const said = metadataIn(`filename ${base64('../../etc/pass\u202ewd')},filetype ${base64('text/plain')},visibility ${base64('public')}`)
  t.strictSame(fileIn(said), { filename: 'passwd', declaredType: 'text/plain' })
  t.strictSame(fileIn(metadataIn('')), { filename: undefined, declaredType: undefined })
  t.strictSame(fieldsIn(said, ['visibility', 'crop']), { visibility: 'public' })
  t.end()
})
