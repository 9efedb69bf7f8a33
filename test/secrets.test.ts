import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { copySecrets, withoutMaking, type SecretKind } from '../src/secrets.ts'
import { secretFiles } from '../src/storage/secret-files.ts'

const kind: SecretKind = { name: 'link.secret', make: () => 'made', isWhole: (text) => text.endsWith('\n'), purpose: 'The key', advice: ', or set LINK_SECRET' }

t.test('who may write nothing gets the secret that is there, and is refused where there is none', async (t) => {
  const folder = t.testdir({ 'link.secret': 'kept\n' })
  t.equal(await withoutMaking(secretFiles(folder)).get(kind), 'kept')
  const empty = join(folder, 'empty')
  await t.rejects(withoutMaking(secretFiles(empty)).get(kind), { name: 'ConfigError', message: /^There is no .*empty\/link\.secret yet, and READ_ONLY=true makes none\..*or set LINK_SECRET\.$/ })
  t.equal(await secretFiles(empty).find('link.secret'), undefined)
})

t.test('a copy brings what the other place has not, and replaces nothing', async (t) => {
  const folder = t.testdir({ from: { 'jwt.secret': 'one\n', 'link.secret': 'two\n' }, to: { 'link.secret': 'three\n' } })
  t.strictSame(await copySecrets(secretFiles(join(folder, 'from')), secretFiles(join(folder, 'to'))), ['jwt.secret'])
  t.equal(readFileSync(join(folder, 'to/jwt.secret'), 'utf8'), 'one\n')
  t.equal(readFileSync(join(folder, 'to/link.secret'), 'utf8'), 'three\n')
})
