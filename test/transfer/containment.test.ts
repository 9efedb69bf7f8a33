import t from 'tap'
import { containment } from '../../src/transfer/containment.ts'

const policyOf = (contentType: string) => containment({ contentType, isPublic: true })['content-security-policy'] ?? ''

t.test('what is not audio, video or PDF is fully sandboxed', async (t) => {
  for (const contentType of ['image/png', 'text/plain', 'text/html', 'image/svg+xml', 'application/octet-stream', 'application/pdfx', '']) {
    t.equal(policyOf(contentType), "default-src 'none'; style-src 'unsafe-inline'; sandbox", contentType)
  }
})

t.test('a player may fetch its own file, and still runs nothing', async (t) => {
  for (const contentType of ['video/mp4', 'audio/ogg; codecs=opus', 'VIDEO/WEBM']) {
    t.equal(policyOf(contentType), "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; sandbox allow-same-origin", contentType)
  }
})

t.test('a PDF is not sandboxed but loads nothing', async (t) => {
  t.equal(policyOf('application/pdf'), "default-src 'none'; style-src 'unsafe-inline'")
})

t.test('no type is ever allowed scripts', async (t) => {
  for (const contentType of ['image/png', 'video/mp4', 'audio/mpeg', 'application/pdf', 'text/html']) t.notMatch(policyOf(contentType), /script/)
})

t.test('only public bytes may be embedded by any site', async (t) => {
  t.match(containment({ contentType: 'image/png', isPublic: true }), { 'cross-origin-resource-policy': 'cross-origin' })
  t.match(containment({ contentType: 'image/png', isPublic: false }), {
    'cross-origin-resource-policy': 'same-site', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer',
  })
})
