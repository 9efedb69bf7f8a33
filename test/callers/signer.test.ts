import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { createSigner, openSigner, signatureBytes } from '../../src/callers/signer.ts'
import { secretFiles } from '../../src/storage/secret-files.ts'
import { temporaryFolder } from '../helper.ts'

const [old, fresh] = ['an old secret that is long enough to be one', 'a new secret that is long enough to be one'] as const
const content = Buffer.from('what is said')

test('what is signed is known again, and nothing that differs in a single bit', (t) => {
  const signer = createSigner([old])
  const signature = signer.sign('link', content)
  t.equal(signature.length, signatureBytes)
  t.ok(signer.isSigned('link', content, signature))
  for (let index = 0; index < signature.length * 8; index += 1) {
    const wrong = Buffer.from(signature)
    wrong.writeUInt8(wrong.readUInt8(index >> 3) ^ (1 << (index & 7)), index >> 3)
    t.notOk(signer.isSigned('link', content, wrong))
  }
  for (const wrong of [Buffer.alloc(0), signature.subarray(1), Buffer.concat([signature, Buffer.alloc(1)]), Buffer.alloc(32)]) t.notOk(signer.isSigned('link', content, wrong))
  t.notOk(signer.isSigned('link', Buffer.from('what is sa1d'), signature))
  t.notOk(signer.isSigned('media-session', content, signature), 'for another purpose it is of no use')
  t.end()
})

test('while secrets rotate the first signs and all verify', (t) => {
  const [before, during, after] = [createSigner([old]), createSigner([fresh, old]), createSigner([fresh])]
  t.ok(during.isSigned('link', content, before.sign('link', content)))
  t.ok(after.isSigned('link', content, during.sign('link', content)))
  t.notOk(before.isSigned('link', content, during.sign('link', content)))
  t.notOk(after.isSigned('link', content, before.sign('link', content)))
  t.end()
})

test('without a secret one is made beside the database, for its owner only, and the next start signs with the same', async (t) => {
  const folder = await temporaryFolder(t)
  const [config, secrets] = [{ linkSecrets: undefined }, secretFiles(join(folder, 'database'))]
  const signature = (await openSigner(config, secrets)).sign('link', content)
  t.ok((await openSigner(config, secrets)).isSigned('link', content, signature))
  const file = join(folder, 'database', 'link.secret')
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.ok(createSigner([readFileSync(file, 'utf8').trim()]).isSigned('link', content, signature))
  t.ok((await openSigner({ linkSecrets: [fresh, old] }, secrets)).isSigned('link', content, createSigner([old]).sign('link', content)))
})

test('a secret that cannot be kept is refused with the setting that helps', async (t) => {
  const folder = t.testdir({ file: 'not a folder' })
  await t.rejects(openSigner({ linkSecrets: undefined }, secretFiles(join(folder, 'file'))), { name: 'ConfigError', message: /links and media sessions.*set LINK_SECRET/ })
})
