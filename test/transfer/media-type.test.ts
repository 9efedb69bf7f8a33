import t from 'tap'
import { essenceOf, servedType } from '../../src/transfer/media-type.ts'

t.test('the essence is type and subtype alone', async (t) => {
  t.equal(essenceOf('Text/HTML; charset=utf-8'), 'text/html')
  t.equal(essenceOf('image/png'), 'image/png')
  t.equal(essenceOf(''), '')
})

t.test('a type is sent as it is stored, unless it is unsafe to', async (t) => {
  const cases: [stored: string, served: string][] = [
    ['image/png', 'image/png'],
    ['audio/ogg; codecs=opus', 'audio/ogg; codecs=opus'],
    ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
    ['text/plain', 'text/plain; charset=utf-8'],
    ['TEXT/PLAIN', 'TEXT/PLAIN; charset=utf-8'],
    ['text/plain; charset=koi8-r', 'text/plain; charset=koi8-r'],
    ['text/plain; Charset="koi8-r"', 'text/plain; Charset="koi8-r"'],
    ['text/plain; format=flowed', 'text/plain; format=flowed; charset=utf-8'],
    ['text/plain; note="charset=x"', 'text/plain; note="charset=x"; charset=utf-8'],
    ['text/csv', 'text/csv'],
    ['image/png; x=y, text/html', 'image/png'],
    ['video/webm;codecs="vp8,opus"', 'video/webm'],
    ['image/png, text/html', 'application/octet-stream'],
    ['image/png;', 'image/png'],
    ['image/png\r\nX-Evil: 1', 'application/octet-stream'],
    ['image/png; x="\u{1f600}"', 'image/png'],
    ['image', 'application/octet-stream'],
    ['image/', 'application/octet-stream'],
    ['/png', 'application/octet-stream'],
    ['', 'application/octet-stream'],
    ['*/*x y', 'application/octet-stream'],
  ]
  for (const [stored, served] of cases) t.equal(servedType(stored), served, JSON.stringify(stored))
})
