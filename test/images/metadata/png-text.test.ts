import { deflateSync } from 'node:zlib'
import { test } from 'tap'
import { bytesInMemory } from '../../../src/images/metadata/bytes.ts'
import { createTextJudge } from '../../../src/images/metadata/png-text.ts'
import { createRemoval } from '../../../src/images/metadata/removal.ts'
import { exifPrefix, personalTiff } from './parts.ts'

const xmp = '<rdf:Description exif:GPSLatitude="48,51.46N"/>'
const exif = Buffer.concat([exifPrefix, personalTiff(1)])
const rawProfile = `\nexif\n      ${exif.length}\n${exif.toString('hex').replaceAll(/.{72}/g, '$&\n')}\n`

/** What is said of chunks of one type, one after the other. */
function judged (type: string, ...contents: ReadonlyArray<string | Buffer>): unknown {
  const file = Buffer.concat(contents.map((content) => Buffer.from(content)))
  const removal = createRemoval(bytesInMemory(file))
  const judge = createTextJudge(bytesInMemory(file), removal)
  const starts = contents.map((_, index) => contents.slice(0, index).reduce((sum, { length }) => sum + length, 0))
  const kinds = contents.map(({ length }, index) => judge(type, starts[index] ?? 0, (starts[index] ?? 0) + length))
  return { kinds, removed: removal.plan().removed }
}

const compressed = (keyword: string, text: string | Buffer) => Buffer.concat([Buffer.from(keyword), deflateSync(text)])

test('the keyword tells the kind', (t) => {
  const contents = ['Software\0GIMP', 'XML:com.adobe.xmp\0\0\0\0\0', 'Raw profile type APP1\0', 'Raw profile type iptc\0', 'no end', '']
  t.same(judged('tEXt', ...contents), { kinds: ['comment', 'xmp', 'exif', 'iptc', 'comment', 'comment'], removed: [] })
  t.end()
})

test('a location is found in plain, compressed and hexadecimal text', (t) => {
  t.same(judged('tEXt', `Raw profile type exif\0${rawProfile}`), { kinds: ['exif'], removed: ['location'] })
  t.same(judged('zTXt', compressed('Raw profile type exif\0\0', rawProfile)), { kinds: ['exif'], removed: ['location'] })
  t.same(judged('iTXt', `XML:com.adobe.xmp\0\0\0en\0key\0${xmp}`), { kinds: ['xmp'], removed: ['location'] })
  t.same(judged('iTXt', compressed('XML:com.adobe.xmp\0\x01\0en\0key\0', xmp)), { kinds: ['xmp'], removed: ['location'] })
  t.same(judged('zTXt', compressed('Raw profile type xmp\0\0', '<x:xmpmeta/>')), { kinds: ['xmp'], removed: [] })
  t.end()
})

test('neither damage nor bombs are looked into', (t) => {
  t.same(judged('zTXt', 'Raw profile type xmp\0\0not compressed'), { kinds: ['xmp'], removed: [] })
  t.same(judged('zTXt', compressed('Raw profile type xmp\0\0', Buffer.alloc(2 ** 24))), { kinds: ['xmp'], removed: [] })
  const many = Array.from({ length: 8 }, () => 'Raw profile type xmp\0\0')
  t.match(judged('zTXt', ...many, compressed('Raw profile type xmp\0\0', xmp)), { removed: { length: 0 } })
  t.end()
})
