import { test, type Test } from 'tap'
import { namesOtherPictures, negotiateFormat, type NegotiatedFormat } from '../../src/transfer/negotiate.ts'

type Case = [who: string, accept: string | undefined, format: NegotiatedFormat]

function check (t: Test, cases: Case[]): void {
  for (const [who, accept, format] of cases) t.equal(negotiateFormat(accept), format, who)
}

test('browsers get the smallest format they name, in whatever order they do', async (t) => {
  check(t, [
    ['Chrome, Edge, Opera: img', 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8', 'avif'],
    ['Chrome: navigation', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7', 'avif'],
    ['Chrome 84, before AVIF', 'image/webp,image/apng,image/*,*/*;q=0.8', 'webp'],
    ['Firefox 132: img', 'image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5', 'avif'],
    ['Firefox 93: img', 'image/avif,image/webp,*/*', 'avif'],
    ['Firefox 66: img', 'image/webp,*/*', 'webp'],
    ['Firefox: navigation', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,image/svg+xml,*/*;q=0.8', 'avif'],
    ['Safari 17: img', 'image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5', 'avif'],
    ['Safari 14: img', 'image/webp,image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5', 'webp'],
    ['Safari 13: img', 'image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5', 'auto'],
    ['Safari: navigation', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'auto'],
    ['Opera 12', 'text/html, application/xml;q=0.9, application/xhtml+xml, image/png, image/webp, image/jpeg, image/gif, image/x-xbitmap, */*;q=0.1', 'webp'],
    ['Internet Explorer 11', 'image/png, image/svg+xml, image/jxr, image/*;q=0.8, */*;q=0.5', 'auto'],
  ])
})

test('programs that take everything get what everything can show', async (t) => {
  check(t, [
    ['no header: Go, Java, Glide, Coil', undefined, 'auto'],
    ['curl, wget, requests, undici, URLSession, link previews', '*/*', 'auto'],
    ['axios', 'application/json, text/plain, */*', 'auto'],
    ['HttpURLConnection', 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2', 'auto'],
    ['SDWebImage', 'image/*,*/*;q=0.8', 'auto'],
    ['GitHub\'s image proxy', 'image/*', 'auto'],
    ['a proxy that converts', 'image/png,image/jpeg;q=0.9', 'auto'],
    ['a proxy that passes on its client\'s', 'image/webp,image/*;q=0.8', 'webp'],
    ['a browser that knows only HEIC', 'image/heic', 'auto'],
  ])
})

test('a format with a q of 0 is not sent, one with any other is', async (t) => {
  check(t, [
    ['both out', 'image/avif;q=0,image/webp;q=0,*/*', 'auto'],
    ['AVIF out', 'image/avif;q=0, image/webp, */*', 'webp'],
    ['out, spelt at length', 'image/avif;q=0.000,image/webp;Q=0.0', 'auto'],
    ['everything else out', 'image/webp, */*;q=0', 'webp'],
    ['all out: never an error', '*/*;q=0', 'auto'],
    ['the choice among what is taken is ours', 'image/avif;q=0.001, image/webp;q=1', 'avif'],
    ['with other parameters', 'image/webp;v=1;q=0.5', 'webp'],
    ['a q over 1', 'image/webp;q=7', 'webp'],
    ['no number', 'image/webp;q=high', 'auto'],
    ['negative', 'image/webp;q=-1', 'auto'],
  ])
})

test('a header is read as it is meant', async (t) => {
  check(t, [
    ['in capitals', 'IMAGE/AVIF', 'avif'],
    ['with much white space', ' \t image/webp \t ; \t q=0.5 \t , */* ', 'webp'],
    ['empty members', ',,,image/webp,,', 'webp'],
    ['within a quoted string', 'text/x;a="image/avif,image/avif"', 'auto'],
    ['only the beginning of a name', 'image/avif-sequence,image/webp2,ximage/webp', 'auto'],
    ['only the subtype', 'avif,webp,*/webp', 'auto'],
  ])
})

test('browsers say which pictures they show, and by that which they do not', async (t) => {
  const cases: Array<[who: string, accept: string | undefined, names: boolean]> = [
    ['Chrome', 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8', true],
    ['Safari', 'image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5', false],
    ['Internet Explorer 11', 'image/png, image/svg+xml, image/jxr, image/*;q=0.8, */*;q=0.5', true],
    ['curl', '*/*', false],
    ['a proxy', 'image/*', false],
    ['axios', 'application/json, text/plain, */*', false],
    ['no header', undefined, false],
    ['an empty one', '', false],
    ['who takes HEIC, in capitals', 'IMAGE/HEIC', false],
    ['who does not take it', 'image/heic;q=0, image/jpeg', true],
    ['who takes no other', 'image/jpeg;q=0, */*', false],
  ]
  for (const [who, accept, names] of cases) t.equal(namesOtherPictures(accept, 'image/heic'), names, who)
})

test('garbage is no error', async (t) => {
  check(t, [
    ['empty', '', 'auto'],
    ['nothing but separators', ';;,=;"', 'auto'],
    ['an open quote', 'image/webp;a="', 'webp'],
    ['beyond ASCII', 'ïmage/wébp\u0000, image/☃', 'auto'],
    ['names of Object.prototype', '__proto__/constructor;__proto__=1', 'auto'],
  ])
  const wrong: string[] = []
  let seed = 1
  const random = (below: number) => { seed = seed * 48271 % 0x7fffffff; return seed % below }
  const pieces = ['image/avif', 'image/webp', '*/*', ';', ',', 'q=', '0', '1', '.', '"', '\\', ' ', '\t', '=', '/', 'é', '\u0000']
  for (let run = 0; run < 5000; run++) {
    const accept = Array.from({ length: random(12) }, () => pieces[random(pieces.length)]).join('')
    const format = negotiateFormat(accept)
    if (format !== 'auto' && !accept.includes(`image/${format}`)) wrong.push(accept)
  }
  t.same(wrong, [])
})

test('the longest headers that arrive cost little', async (t) => {
  const hostile = ['a'.repeat(9000), 'a/b,'.repeat(2250), ','.repeat(9000), '/;'.repeat(4500), '"'.repeat(9000), ';q="\\'.repeat(1800), '\t'.repeat(9000), `a/b;q=0.${'1'.repeat(8990)}`]
  for (const text of hostile) t.equal(negotiateFormat(text), 'auto', text.slice(0, 8))
  t.equal(negotiateFormat(`${'a/b,'.repeat(2250)}image/webp`), 'webp')
  const start = process.cpuUsage().user
  for (const text of hostile) negotiateFormat(text)
  const millisecondsEach = (process.cpuUsage().user - start) / 1000 / hostile.length
  t.ok(millisecondsEach < 50, `${millisecondsEach} ms each`)
})
