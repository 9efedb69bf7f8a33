import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { generatedSecret } from '../../src/callers/generated-secret.ts'
import { secretFiles } from '../../src/storage/secret-files.ts'

const forTokens = { name: 'jwt.secret', signed: 'tokens', setting: 'JWT_SECRET' } as const

t.test('a secret is made once, and long', async (t) => {
  const secrets = secretFiles(t.testdir())
  const secret = await generatedSecret(secrets, forTokens)
  t.match(secret, /^[\w-]{64}$/)
  t.equal(await generatedSecret(secrets, forTokens), secret, 'the next start reads it')
})

t.test('two gateways never get the same secret', async (t) => {
  const folder = t.testdir()
  t.not(await generatedSecret(secretFiles(join(folder, 'a')), forTokens), await generatedSecret(secretFiles(join(folder, 'b')), forTokens))
})

t.test('a short one is refused: it was not made here, or not to its end', async (t) => {
  const folder = t.testdir({ 'jwt.secret': '' })
  await t.rejects(generatedSecret(secretFiles(folder), forTokens), { name: 'ConfigError', message: /Delete it/ })
  t.equal(readFileSync(join(folder, 'jwt.secret'), 'utf8'), '', 'it is not touched')
})

t.test('a folder that cannot be used is refused with the setting that helps', async (t) => {
  const folder = t.testdir({ file: 'not a folder' })
  await t.rejects(generatedSecret(secretFiles(join(folder, 'file')), forTokens), { name: 'ConfigError', message: /tokens are signed with cannot be kept.*set JWT_SECRET/ })
})
