import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { generatedSecret } from '../../src/callers/generated-secret.ts'

t.test('a secret is made once, long, for its owner only, with the folder it is in', async (t) => {
  const file = join(t.testdir(), 'new', 'folder', 'jwt.secret')
  const secret = await generatedSecret(file)
  t.match(secret, /^[\w-]{64}$/)
  t.equal(readFileSync(file, 'utf8'), `${secret}\n`)
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.equal(await generatedSecret(file), secret, 'the next start reads it')
})

t.test('two gateways never get the same secret', async (t) => {
  const folder = t.testdir()
  t.not(await generatedSecret(join(folder, 'a')), await generatedSecret(join(folder, 'b')))
})

t.test('processes that start at once agree on one secret', async (t) => {
  const file = join(t.testdir(), 'database', 'jwt.secret')
  const url = new URL('../../src/callers/generated-secret.ts', import.meta.url)
  // They wait for their common moment, so that they really meet.
  const program = `
    const { generatedSecret } = await import('${url}')
    while (Date.now() < ${Date.now() + 1500}) {}
    console.log(await generatedSecret(process.argv[1]))`
  const secrets = await Promise.all(Array.from({ length: 6 }, async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, file], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [output] = await Promise.all([child.stdout.toArray(), once(child, 'close')])
    return Buffer.concat(output).toString().trim()
  }))
  t.same(new Set(secrets), new Set([readFileSync(file, 'utf8').trim()]))
  t.equal(secrets.length, 6)
})

t.test('a secret that another process is still writing is waited for', async (t) => {
  const file = join(t.testdir({ 'jwt.secret': 'half of i' }), 'jwt.secret')
  const waiting = generatedSecret(file)
  setImmediate(() => writeFileSync(file, `${'s'.repeat(64)}\n`))
  t.equal(await waiting, 's'.repeat(64))
})

t.test('a file that stays empty is refused with what to do about it', async (t) => {
  const file = join(t.testdir({ 'jwt.secret': '' }), 'jwt.secret')
  await t.rejects(generatedSecret(file), { name: 'ConfigError', message: /Delete it/ })
  t.equal(readFileSync(file, 'utf8'), '', 'it is not touched')
})

t.test('a folder that cannot be used is refused with the setting that helps', async (t) => {
  const folder = t.testdir({ file: 'not a folder' })
  await t.rejects(generatedSecret(join(folder, 'file', 'jwt.secret')), { name: 'ConfigError', message: /set JWT_SECRET/ })
})

t.test('a folder that may not be written to is refused', { skip: process.getuid?.() === 0 && 'root may write anywhere' }, async (t) => {
  const folder = t.testdir()
  mkdirSync(join(folder, 'locked'))
  chmodSync(join(folder, 'locked'), 0o500)
  await t.rejects(generatedSecret(join(folder, 'locked', 'jwt.secret')), { name: 'ConfigError', message: /EACCES/ })
})
