import { gzipSync } from 'node:zlib'
import t from 'tap'
import { avatarTypes, sniff, sniffedBytes, typeOfName } from '../../src/transfer/sniff.ts'

const hex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex')
const png = hex('89504e470d0a1a0a 0000000d49484452 00000001 00000001 0802000000 907753de 0000000c49444154 08d763f8cfc000000301010018dd8db0 0000000049454e44ae426082')
const binary = Buffer.from(Array.from({ length: 64 }, (_, index) => index * 5 % 256))

t.test('bytes that say what they are win over the client', async (t) => {
  const heads: Array<[Buffer, string, string]> = [
    [png, 'image/png', 'png'],
    [hex('ffd8ffe000104a46494600010100000100010000'), 'image/jpeg', 'jpg'],
    [Buffer.from('GIF89a\x01\0\x01\0'), 'image/gif', 'gif'],
    [Buffer.from('RIFF\x24\0\0\0WEBPVP8 '), 'image/webp', 'webp'],
    [hex('0000001c6674797061766966 00000000 617669666d6966316d696166'), 'image/avif', 'avif'],
    [hex('00000018667479706865696300000000 6d69663168656963'), 'image/heic', 'heic'],
    [Buffer.from('%PDF-1.7\n'), 'application/pdf', 'pdf'],
    [hex('00000018667479706d703432 00000000 6d70343269736f6d'), 'video/mp4', 'mp4'],
    [hex('000000146674797071742020 00000000 71742020'), 'video/quicktime', 'mov'],
    [hex('000000186674797 04d344120 00000000 4d344120 6d703432'.replaceAll(' ', '')), 'audio/mp4', 'm4a'],
    [hex('fffb9064' + '00'.repeat(600)), 'audio/mpeg', 'mp3'],
    [Buffer.from('OggS\0\x02' + '\0'.repeat(22) + 'OpusHead\x01'), 'audio/ogg', 'ogg'],
    [gzipSync('x'), 'application/gzip', 'gz'],
    [hex('504b0506' + '00'.repeat(18)), 'application/zip', 'zip'],
    [Buffer.concat([Buffer.from('MZ'), Buffer.alloc(100)]), 'application/x-msdownload', 'bin'],
  ]
  for (const [head, contentType, extension] of heads) {
    for (const declared of [undefined, 'image/png', 'text/html', 'application/pdf']) t.same(await sniff(head, declared), { contentType, extension })
  }
})

t.test('an animated PNG is a PNG', async (t) => {
  const ihdr = png.subarray(0, 33)
  const acTL = hex('000000086163544c 0000000100000000 b92d9f1a')
  t.same(await sniff(Buffer.concat([ihdr, acTL, png.subarray(33)]), undefined), { contentType: 'image/png', extension: 'png' })
})

t.test('text is of the declared type when that is one of text, else plain', async (t) => {
  const text = Buffer.from('a;b\nпривет\n\x1b[31mred\x1b[0m\f')
  const cases: Array<[string | undefined, string, string]> = [
    [undefined, 'text/plain', 'txt'],
    ['text/csv', 'text/csv', 'csv'],
    ['Text/CSV; header=present; charset="UTF-8"', 'text/csv; charset=utf-8', 'csv'],
    ['text/plain;charset=windows-1251', 'text/plain; charset=windows-1251', 'txt'],
    ['text/plain; charset=\x00evil', 'text/plain', 'txt'],
    ['application/json', 'application/json', 'json'],
    ['application/ld+json', 'application/ld+json', 'bin'],
    ['application/javascript', 'application/javascript', 'js'],
    ['text/html', 'text/html', 'html'],
    ['image/svg+xml', 'image/svg+xml', 'svg'],
    ['image/png', 'text/plain', 'txt'],
    ['application/pdf', 'text/plain', 'txt'],
    ['application/octet-stream', 'text/plain', 'txt'],
    ['application/x-www-form-urlencoded', 'text/plain', 'txt'],
    ['text/html, image/png', 'text/plain', 'txt'],
    ['text/', 'text/plain', 'txt'],
    ['<script>', 'text/plain', 'txt'],
  ]
  for (const [declared, contentType, extension] of cases) t.same(await sniff(text, declared), { contentType, extension }, String(declared))
  t.same(await sniff(Buffer.alloc(0), undefined), { contentType: 'text/plain', extension: 'txt' })
})

t.test('text is text even where the head ends within a character', async (t) => {
  for (const character of ['é', '€', '😀']) {
    const whole = Buffer.from(`${'x'.repeat(100)}${character}`)
    for (let length = 100; length <= whole.length; length++) t.equal((await sniff(whole.subarray(0, length), undefined)).contentType, 'text/plain', `${character} after ${length}`)
  }
})

t.test('what is not text keeps a declared type, unless browsers would show it', async (t) => {
  const cases: Array<[string | undefined, string]> = [
    [undefined, 'application/octet-stream'],
    ['application/x-custom; version=1', 'application/x-custom'],
    ['font/woff2', 'font/woff2'],
    ['text/csv; charset=utf-16', 'text/csv'],
    ['image/png', 'application/octet-stream'],
    ['image/svg+xml', 'application/octet-stream'],
    ['audio/mpeg', 'application/octet-stream'],
    ['video/mp4', 'application/octet-stream'],
    ['application/pdf', 'application/octet-stream'],
    ['text/plain', 'application/octet-stream'],
    ['TEXT/PLAIN', 'application/octet-stream'],
    ['multipart/mixed', 'application/octet-stream'],
    ['no type at all', 'application/octet-stream'],
    ['a'.repeat(128) + '/b', 'application/octet-stream'],
  ]
  for (const [declared, contentType] of cases) t.equal((await sniff(binary, declared)).contentType, contentType, String(declared))
  for (const bytes of ['\xff\xfe', 'a\0b', 'a\x01b', '\xe2\x82 x', '\xc3(']) {
    t.equal((await sniff(Buffer.from(bytes, 'latin1'), 'text/plain')).contentType, 'application/octet-stream')
  }
})

t.test('markup never becomes a type that browsers show inline', async (t) => {
  const svg = Buffer.from('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
  t.same(await sniff(svg, undefined), { contentType: 'application/xml', extension: 'xml' })
  t.same(await sniff(svg, 'image/svg+xml'), { contentType: 'image/svg+xml', extension: 'svg' })
  for (const declared of ['image/png', 'text/plain', 'text/html', 'application/pdf', 'x/y']) t.equal((await sniff(svg, declared)).contentType, 'application/xml')
  for (const page of ['<!doctype html><script>alert(1)</script>', '<svg onload="alert(1)">', '<html>']) {
    for (const declared of [undefined, 'image/png', 'application/pdf', 'video/mp4']) t.equal((await sniff(Buffer.from(page), declared)).contentType, 'text/plain')
    t.equal((await sniff(Buffer.from(page), 'text/html')).contentType, 'text/html')
  }
})

t.test('hostile heads are judged quickly and never throw', async (t) => {
  const magics = [png, gzipSync(Buffer.alloc(1e8)), Buffer.from('PK\x03\x04'), hex('3026b2758e66cf11a6d900aa0062ce6c'), hex('1a45dfa3'), Buffer.from('ID3\x04\0\0\x7f\x7f\x7f\x7f'), Buffer.from('II*\0'), hex('0000002066747970')]
  const start = performance.now()
  for (const magic of magics) {
    for (const filling of [0x00, 0x01, 0x7f, 0xff]) {
      for (const length of [0, 1, 30, sniffedBytes]) {
        const { contentType } = await sniff(Buffer.concat([magic, Buffer.alloc(length, filling)]).subarray(0, sniffedBytes), 'application/x-custom')
        t.match(contentType, /^[a-z]+\/[^;\s]+$/)
      }
    }
  }
  t.ok(performance.now() - start < 10_000)
})

t.test('avatars are of the types that can be decoded', async (t) => {
  t.same(avatarTypes, ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif', 'image/heic', 'image/heif'])
})

t.test('the extension of a name says a type, which the bytes still outweigh', async (t) => {
  for (const [name, type] of [['a.csv', 'text/csv'], ['A.JPG', 'image/jpeg'], ['a.b.md', 'text/markdown'], ['a', undefined], ['a.', undefined], ['a.exe', undefined], ['.csv', 'text/csv']] as const) t.equal(typeOfName(name), type, name)
  t.match(await sniff(Buffer.from('<html>'), typeOfName('a.png')), { contentType: 'text/plain' })
})
