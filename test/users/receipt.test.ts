import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CompactSign, compactVerify, generateKeyPair, importJWK } from 'jose'
import t from 'tap'
import { secretFiles } from '../../src/storage/secret-files.ts'
import { openReceipts } from '../../src/users/receipt.ts'

const erased = { id: 'e', at: '2026-11-21T10:00:00.000Z', owner: 'hash', epoch: 1, blobs: [{ id: 'b', content: 'c' }], counts: { avatars: 1, attachments: 0, bytes: 5, accounts: 0 } }

t.test('a receipt is signed with a key that is made once, and says what was erased', async (t) => {
  const folder = join(t.testdir(), 'database')
  const receipts = await openReceipts(secretFiles(folder))
  t.equal(statSync(join(folder, 'erasure-signing.jwk')).mode & 0o777, 0o600)
  const receipt = await receipts.sign(erased)
  t.same(await (await openReceipts(secretFiles(folder))).verify(`${receipt}\n`), erased)
  t.same(await receipts.verify(JSON.stringify({ erased, receipt })), erased, 'also as the API answered it')
  t.match(receipts.publicKey, { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', kid: String, d: undefined })
  const { payload, protectedHeader } = await compactVerify(receipt, await importJWK(receipts.publicKey, 'EdDSA'))
  t.same(JSON.parse(Buffer.from(payload).toString()), erased, 'anybody with the public key can check it')
  t.equal(protectedHeader.kid, receipts.publicKey.kid)
})

t.test('what was changed, signed by somebody else, or is no receipt proves nothing', async (t) => {
  const folder = t.testdir()
  const receipts = await openReceipts(secretFiles(join(folder, 'one')))
  const receipt = await receipts.sign(erased)
  const [header = '', , signature = ''] = receipt.split('.')
  const forged = [header, Buffer.from(JSON.stringify({ ...erased, blobs: [] })).toString('base64url'), signature].join('.')
  const strange = await (await openReceipts(secretFiles(join(folder, 'two')))).sign(erased)
  const { privateKey } = await generateKeyPair('ES256')
  const otherAlgorithm = await new CompactSign(Buffer.from('{}')).setProtectedHeader({ alg: 'ES256' }).sign(privateKey)
  for (const text of [forged, strange, otherAlgorithm, '', 'x', '{"receipt":1}', '{}', `${receipt}x`, receipt.slice(0, -4)]) {
    await t.rejects(receipts.verify(text), { name: 'ReceiptError', message: /signature/ }, text.slice(0, 20))
  }
  const key = await importJWK(JSON.parse((await import('node:fs')).readFileSync(join(folder, 'one/erasure-signing.jwk'), 'utf8')), 'EdDSA')
  for (const [payload, typ] of [['{}', 'erasure-receipt+jws'], [JSON.stringify(erased), 'JWT']] as const) {
    const other = await new CompactSign(Buffer.from(payload)).setProtectedHeader({ alg: 'EdDSA', typ }).sign(key)
    await t.rejects(receipts.verify(other), { name: 'ReceiptError', message: /no receipt/ })
  }
})

t.test('a key file that holds no whole key is refused', async (t) => {
  const folder = t.testdir()
  writeFileSync(join(folder, 'erasure-signing.jwk'), '{"kty":"OKP"}\n')
  await t.rejects(openReceipts(secretFiles(folder)), { name: 'ConfigError', message: /erasure-signing\.jwk holds no whole secret/ })
})
