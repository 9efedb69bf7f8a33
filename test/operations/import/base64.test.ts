import { randomBytes } from 'node:crypto'
import { test } from 'tap'
import { decodeBase64 } from '../../../src/operations/import/base64.ts'

test('base64 is read in every form that is found', (t) => {
  for (const length of [1, 2, 3, 100, 101, 102]) {
    const bytes = randomBytes(length)
    const text = bytes.toString('base64')
    const forms = { plain: text, padless: text.replace(/=+$/, ''), urlsafe: bytes.toString('base64url'), wrapped: text.replace(/.{10}/g, '$&\r\n\t '), spaced: `\uFEFF ${text}\n`, uri: `data:image/png;base64,${text}`, named: ` DATA:image/png;name="a b";BASE64,${text.replace(/.{76}/g, '$&\n')}` }
    for (const [form, given] of Object.entries(forms)) t.ok(decodeBase64(given).equals(bytes), `${form} ${length}`)
  }
  t.end()
})

test('anything else is refused, with what is wrong', (t) => {
  for (const [text, code, reason] of [
    ['', 'empty', /nothing/], [' \n', 'empty', /nothing/], ['data:image/png;base64,', 'empty', /nothing/],
    ['data:image/svg+xml;utf8,<svg/>', 'broken-base64', /data URI/], ['data:,x', 'broken-base64', /data URI/],
    ['AA!A', 'broken-base64', /not base64/], ['"AAAA"', 'broken-base64', /not base64/], ['AAAA\0', 'broken-base64', /not base64/], ['AA=A', 'broken-base64', /not base64/],
    ['AAAAA', 'broken-base64', /cut off/], ['AAA==', 'broken-base64', /cut off/], ['AAAA=', 'broken-base64', /cut off/], ['AB', 'broken-base64', /cut off/],
  ] as const) t.throws(() => decodeBase64(text), { code, message: reason }, JSON.stringify(text))
  t.end()
})
