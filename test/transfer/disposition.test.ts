import { parse } from 'content-disposition'
import t from 'tap'
import { dispositionOf } from '../../src/transfer/disposition.ts'

t.test('only what can neither run nor load anything is shown', async (t) => {
  const inline = [
    'image/jpeg', 'image/png', 'image/apng', 'image/webp', 'image/gif', 'image/avif', 'audio/mpeg', 'audio/mp4', 'audio/ogg; codecs=opus', 'audio/wav', 'audio/flac',
    'video/mp4', 'video/webm', 'video/quicktime', 'application/pdf', 'text/plain', 'text/plain; charset=utf-8', 'IMAGE/PNG',
  ]
  const attachment = [
    'text/html', 'image/svg+xml', 'application/xhtml+xml', 'text/xml', 'application/xml', 'text/css', 'text/javascript', 'application/javascript', 'multipart/x-mixed-replace',
    'application/octet-stream', 'application/zip', 'text/csv', 'message/rfc822', 'image/heic', 'image/tiff', 'image/x-icon', 'text/plain, text/html', 'application/json', 'text/vtt', '',
  ]
  for (const contentType of inline) t.equal(dispositionOf({ contentType }), 'inline', contentType)
  for (const contentType of attachment) t.equal(dispositionOf({ contentType }), 'attachment', contentType)
})

t.test('a download is a download whatever its type', async (t) => {
  t.equal(dispositionOf({ contentType: 'image/png', filename: 'a.png', asDownload: true }), 'attachment; filename=a.png')
  t.equal(dispositionOf({ contentType: 'image/png', filename: 'a.png', asDownload: false }), 'inline; filename=a.png')
})

t.test('any name survives the header', async (t) => {
  const names = ['a b.txt', 'Отчёт за ноябрь.pdf', '写真.jpg', '👩‍👧 naïve €.png', '"quoted" \\ back.txt', 'a;b=c,d.txt', "it's (1)*.txt", 'a%20b.txt', '100 %.txt', 'é.txt', 'a'.repeat(255)]
  for (const filename of names) {
    const header = dispositionOf({ contentType: 'application/zip', filename })
    t.match(header, /^[\x20-\x7e]+$/, 'the header is ASCII')
    t.same(parse(header), { type: 'attachment', parameters: { ...parse(header).parameters, filename } }, filename)
  }
})

t.test('old clients get an ASCII name beside the true one', async (t) => {
  const plain = (filename: string) => /filename="?([^";]*)"?;/.exec(dispositionOf({ contentType: 'application/zip', filename }))?.[1]
  t.equal(dispositionOf({ contentType: 'application/zip', filename: 'naïve.zip' }), 'attachment; filename=na_ve.zip; filename*=UTF-8\'\'na%C3%AFve.zip')
  t.equal(plain('写真 (1).jpg'), '_ (1).jpg')
  t.equal(plain('Отчёт за ноябрь.docx'), 'file.docx', 'nothing of it is ASCII but the extension')
  t.equal(plain('Отчёт'), 'file')
  t.equal(plain('写.真'), 'file')
})

t.test('a name that is not well-formed cannot break the header', async (t) => {
  const header = dispositionOf({ contentType: 'application/zip', filename: 'a\ud800\r\nX-Evil: 1.zip' })
  t.match(header, /^[\x20-\x7e]+$/)
  t.equal(parse(header).parameters.filename, 'a\ufffd\r\nX-Evil: 1.zip')
})
