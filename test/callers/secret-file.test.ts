import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { secretFile } from '../../src/callers/secret-file.ts'

const secretIn = (file: string, make: () => string | Promise<string>) =>
  secretFile({ file, make, isWhole: (text) => /^\w+\n$/.test(text), purpose: 'The key to the cellar', advice: ', or dig' })

t.test('it is made once, for its owner only, and then read', async (t) => {
  const file = join(t.testdir(), 'new', 'key')
  t.equal(await secretIn(file, async () => 'abc'), 'abc')
  t.equal(readFileSync(file, 'utf8'), 'abc\n')
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.equal(await secretIn(file, () => t.fail('made again') ? '' : ''), 'abc')
})

t.test('what cannot be used is refused, with what it is for and what to do', async (t) => {
  const folder = t.testdir({ file: 'not a folder', half: 'abc' })
  await t.rejects(secretIn(join(folder, 'file', 'key'), () => 'abc'), { name: 'ConfigError', message: /^The key to the cellar cannot be kept: .*Make .*file writable, or dig\.$/ })
  await t.rejects(secretIn(join(folder, 'half'), () => 'abc'), { name: 'ConfigError', message: /half holds no whole secret.*Delete it/ })
})
