import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CompactSign, compactVerify, generateKeyPair, importJWK } from 'jose'
import t from 'tap'
import { openReceipts, signingKeyFile } from '../../src/users/receipt.ts'

const erased = { id: 'e', at: '2026-11-21T10:00:00.000Z', owner: 'hash', epoch: 1, blobs: [{ id: 'b', content: 'c' }], counts: { avatars: 1, attachments: 0, bytes: 5, accounts: 0 } }

t.test('a receipt is signed with a key that is made once, and says what was erased', async (t) => {
  const file = signingKeyFile(join(t.testdir(), 'database', 'gateway.sqlite'))
  const receipts = await openReceipts(file)
  t.match(file, /database\/erasure-signing\.jwk$/)
  t.equal(statSync(file).mode & 0o777, 0o600)
  const receipt = await receipts.sign(erased)
  t.same(await (await openReceipts(file)).verify(`${receipt}\n`), erased)
  t.same(await receipts.verify(JSON.stringify({ erased, receipt })), erased, 'also as the API answered it')
  t.match(receipts.publicKey, { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', kid: String, d: undefined })
  const { payload, protectedHeader } = await compactVerify(receipt, await importJWK(receipts.publicKey, 'EdDSA'))
  t.same(JSON.parse(Buffer.from(payload).toString()), erased, 'anybody with the public key can check it')
  t.equal(protectedHeader.kid, receipts.publicKey.kid)
})

t.test('what was changed, signed by somebody else, or is no receipt proves nothing', async (t) => {
  const folder = t.testdir()
  const receipts = await openReceipts(join(folder, 'one.jwk'))
  const receipt = await receipts.sign(erased)
  const [header = '', , signature = ''] = receipt.split('.')
  const forged = [header, Buffer.from(JSON.stringify({ ...erased, blobs: [] })).toString('base64url'), signature].join('.')
  const strange = await (await openReceipts(join(folder, 'two.jwk'))).sign(erased)
  const { privateKey } = await generateKeyPair('ES256')
  const otherAlgorithm = await new CompactSign(Buffer.from('{}')).setProtectedHeader({ alg: 'ES256' }).sign(privateKey)
  for (const text of [forged, strange, otherAlgorithm, '', 'x', '{"receipt":1}', '{}', `${receipt}x`, receipt.slice(0, -4)]) {
    await t.rejects(receipts.verify(text), { name: 'ReceiptError', message: /signature/ }, text.slice(0, 20))
  }
  const key = await importJWK(JSON.parse((await import('node:fs')).readFileSync(join(folder, 'one.jwk'), 'utf8')), 'EdDSA')
  for (const [payload, typ] of [['{}', 'erasure-receipt+jws'], [JSON.stringify(erased), 'JWT']] as const) {
    const other = await new CompactSign(Buffer.from(payload)).setProtectedHeader({ alg: 'EdDSA', typ }).sign(key)
    await t.rejects(receipts.verify(other), { name: 'ReceiptError', message: /no receipt/ })
  }
})

t.test('a key file that holds no whole key is refused', async (t) => {
  const file = join(t.testdir(), 'one.jwk')
  writeFileSync(file, '{"kty":"OKP"}\n')
  await t.rejects(openReceipts(file), { name: 'ConfigError', message: /one\.jwk holds no whole secret/ })
})
