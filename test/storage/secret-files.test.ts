import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { SecretKind } from '../../src/secrets.ts'
import { secretFiles } from '../../src/storage/secret-files.ts'

const kindOf = (make: SecretKind['make']): SecretKind => ({ name: 'jwt.secret', make, isWhole: (text) => /^\w+\n$/.test(text), purpose: 'The key to the cellar', advice: ', or dig' })

t.test('it is made once, for its owner only, with the folder it is in, and then read', async (t) => {
  const folder = join(t.testdir(), 'new', 'folder')
  const secrets = secretFiles(folder)
  t.equal(await secrets.find('jwt.secret'), undefined)
  t.equal(await secrets.get(kindOf(async () => 'abc')), 'abc')
  t.equal(readFileSync(join(folder, 'jwt.secret'), 'utf8'), 'abc\n')
  t.equal(statSync(join(folder, 'jwt.secret')).mode & 0o777, 0o600)
  t.equal(await secrets.get(kindOf(() => t.fail('made again') ? '' : '')), 'abc')
  t.equal(await secrets.find('jwt.secret'), 'abc')
  t.equal(secrets.placeOf('jwt.secret'), join(folder, 'jwt.secret'))
})

t.test('one that is kept as it is stays, for its owner only, and is never replaced', async (t) => {
  const folder = t.testdir()
  const secrets = secretFiles(folder)
  t.equal(await secrets.keep('link.secret', 'one'), true)
  t.equal(await secrets.keep('link.secret', 'two'), false)
  t.equal(readFileSync(join(folder, 'link.secret'), 'utf8'), 'one\n')
  t.equal(statSync(join(folder, 'link.secret')).mode & 0o777, 0o600)
})

t.test('processes that start at once agree on one secret', async (t) => {
  const folder = join(t.testdir(), 'database')
  const [files, generated] = ['../../src/storage/secret-files.ts', '../../src/callers/generated-secret.ts'].map((path) => new URL(path, import.meta.url))
  // They wait for their common moment, so that they really meet.
  const program = `
    const { secretFiles } = await import('${files}')
    const { generatedSecret } = await import('${generated}')
    while (Date.now() < ${Date.now() + 1500}) {}
    console.log(await generatedSecret(secretFiles(process.argv[1]), { name: 'jwt.secret', signed: 'tokens', setting: 'JWT_SECRET' }))`
  const secrets = await Promise.all(Array.from({ length: 6 }, async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [output] = await Promise.all([child.stdout.toArray(), once(child, 'close')])
    return Buffer.concat(output).toString().trim()
  }))
  t.same(new Set(secrets), new Set([readFileSync(join(folder, 'jwt.secret'), 'utf8').trim()]))
  t.equal(secrets.length, 6)
})

t.test('one that cannot be written leaves nothing behind, and is made when it can be', async (t) => {
  const folder = t.testdir()
  const full = () => Promise.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }))
  await t.rejects(secretFiles(folder).get(kindOf(full)), { name: 'ConfigError', message: /cannot be kept: ENOSPC/ })
  t.equal(await secretFiles(folder).get(kindOf(() => 'abc')), 'abc')
})

t.test('a secret that another process is still writing is waited for', async (t) => {
  const folder = t.testdir({ 'jwt.secret': 'half of i' })
  const waiting = secretFiles(folder).get(kindOf(() => 'another'))
  setImmediate(() => writeFileSync(join(folder, 'jwt.secret'), 'whole\n'))
  t.equal(await waiting, 'whole')
})

t.test('a file that stays a half is refused with what to do about it, and not touched', async (t) => {
  const folder = t.testdir({ 'jwt.secret': 'abc' })
  await t.rejects(secretFiles(folder).get(kindOf(() => 'another')), { name: 'ConfigError', message: /jwt\.secret holds no whole secret.*Delete it/ })
  t.equal(readFileSync(join(folder, 'jwt.secret'), 'utf8'), 'abc')
})

t.test('what cannot be used is refused, with what it is for and what to do', async (t) => {
  const folder = t.testdir({ file: 'not a folder', 'jwt.secret': {} })
  await t.rejects(secretFiles(join(folder, 'file')).get(kindOf(() => 'abc')), { name: 'ConfigError', message: /^The key to the cellar cannot be kept: .*Make .*file writable, or dig\.$/ })
  await t.rejects(secretFiles(folder).find('jwt.secret'), { name: 'ConfigError', message: /jwt\.secret cannot be read \(EISDIR\)/ })
  t.equal(await secretFiles(join(folder, 'file')).find('jwt.secret'), undefined)
})

t.test('a folder that may not be written to is refused', { skip: process.getuid?.() === 0 && 'root may write anywhere' }, async (t) => {
  const folder = t.testdir()
  mkdirSync(join(folder, 'locked'))
  chmodSync(join(folder, 'locked'), 0o500)
  await t.rejects(secretFiles(join(folder, 'locked')).get(kindOf(() => 'abc')), { name: 'ConfigError', message: /EACCES/ })
})
