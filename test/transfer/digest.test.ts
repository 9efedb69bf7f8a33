import { createHash, randomBytes } from 'node:crypto'
import t from 'tap'
import { createDigesting, digestsIn, requireSame, reprDigest, sha256In } from '../../src/transfer/digest.ts'

const of = (algorithm: 'sha256' | 'sha512', bytes: string) => createHash(algorithm).update(bytes)
const field = (algorithm: 'sha256' | 'sha512', bytes: string) => `${algorithm.replace('sha', 'sha-')}=:${of(algorithm, bytes).digest('base64')}:`
const hex = { 'sha-256': of('sha256', 'a').digest('hex'), 'sha-512': of('sha512', 'a').digest('hex') }

t.test('the digests that are known are read, and others passed over', async (t) => {
  t.strictSame(digestsIn('Repr-Digest', field('sha256', 'a')), { 'sha-256': hex['sha-256'] })
  t.strictSame(digestsIn('Repr-Digest', `${field('sha512', 'a')},  ${field('sha256', 'a')};x=1`), hex)
  for (const nothing of ['', 'md5=:AAAAAAAAAAAAAAAAAAAAAA==:', 'crc32c=:AAAAAA==:, unixsum=5', 'sha=(1 2), adler="x"']) t.strictSame(digestsIn('Repr-Digest', nothing), {}, nothing)
  t.strictSame(digestsIn('Repr-Digest', `md5=:AAAA:, ${field('sha256', 'a')}`), { 'sha-256': hex['sha-256'] })
  t.strictSame(digestsIn('Repr-Digest', `${field('sha256', 'b')}, ${field('sha256', 'a')}`), { 'sha-256': hex['sha-256'] }, 'of two, the last counts (RFC 9651 section 3.2)')
  t.strictSame(digestsIn('Repr-Digest', 'constructor=1, valueof=2'), {}, 'names that objects have')
})

t.test('what cannot be read is told from what differs', async (t) => {
  const long = randomBytes(64).toString('base64')
  for (const wrong of [
    'sha-256', 'sha-256=', 'sha-256=1', 'sha-256="x"', 'sha-256=x', 'sha-256=?1', 'sha-256=()', 'sha-256=(:AAAA:)', 'sha-256=::', 'sha-256=:AAAA:', `sha-256=:${long}:`, `sha-512=:${long.slice(0, 44)}:`,
    `sha-256=${of('sha256', 'a').digest('base64')}`, `sha-256=${hex['sha-256']}`, `sha-256=:${'!'.repeat(44)}:`, `${field('sha256', 'a')},`, `${field('sha256', 'a')} sha-512`, `SHA-256=:${'A'.repeat(43)}=:`, 'sha-256=:ÿ:', ',', '=',
  ]) {
    t.throws(() => digestsIn('Content-Digest', wrong), { code: 'DIGEST_INVALID', statusCode: 400, message: /Content-Digest/ }, wrong)
  }
})

t.test('a field of a form says it in hex', async (t) => {
  t.strictSame(sha256In(hex['sha-256']), { 'sha-256': hex['sha-256'] })
  t.strictSame(sha256In(hex['sha-256'].toUpperCase()), { 'sha-256': hex['sha-256'] })
  for (const wrong of ['', 'x', hex['sha-256'].slice(1), `${hex['sha-256']}0`, ` ${hex['sha-256']}`, `${hex['sha-256']}\n`, of('sha256', 'a').digest('base64'), hex['sha-512']]) {
    t.throws(() => sha256In(wrong), { code: 'DIGEST_INVALID' }, wrong)
  }
})

t.test('bytes are hashed as they pass, each algorithm once', async (t) => {
  const both = createDigesting(['sha-512', 'sha-256', 'sha-512'])
  for (const part of ['', 'a', '']) both.update(Buffer.from(part))
  t.strictSame(both.end(), { 'sha-512': hex['sha-512'], 'sha-256': hex['sha-256'] })
  t.strictSame(createDigesting([]).end(), {})
})

t.test('all that is stated must be so', async (t) => {
  const other = of('sha256', 'b').digest('hex')
  for (const stated of [{}, hex, { 'sha-256': hex['sha-256'] }, { 'sha-512': hex['sha-512'] }]) requireSame('Repr-Digest', stated, hex)
  requireSame('Repr-Digest', {}, {})
  const mismatch = (algorithm: string) => ({ code: 'UPLOAD_DIGEST_MISMATCH', statusCode: 422, message: new RegExp(`Repr-Digest \\(${algorithm}\\) differs`) })
  t.throws(() => requireSame('Repr-Digest', { ...hex, 'sha-256': other }, hex), mismatch('sha-256'))
  t.throws(() => requireSame('Repr-Digest', { ...hex, 'sha-512': other }, hex), mismatch('sha-512'))
  t.throws(() => requireSame('Repr-Digest', hex, { 'sha-256': hex['sha-256'] }), mismatch('sha-512'), 'what nobody hashed is not the same')
})

t.test('the digest of an answer is in base64', async (t) => {
  t.strictSame(reprDigest(hex['sha-256'], undefined), { 'repr-digest': field('sha256', 'a') })
  t.strictSame(digestsIn('Repr-Digest', reprDigest(hex['sha-256'], 'sha-256=10')['repr-digest'] ?? ''), { 'sha-256': hex['sha-256'] })
  t.strictSame(reprDigest(hex['sha-256'], 'sha-256=0, sha-512=1'), {})
})
