import { existsSync, mkdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { createFaults } from '../fixtures/faults.ts'
import { build, temporaryFolder } from '../helper.ts'

test('both places of the ledger are made at the first start, so that one that is missing later says something', async (t) => {
  const second = join(await temporaryFolder(t), 'ledger.ndjson')
  const { read } = await build(t, { ERASURE_LEDGER: second })
  t.ok(existsSync(second))
  t.equal(await read('erasures.ndjson'), await readFile(second, 'utf8'))
})

test('a second place that cannot be used refuses the start, with what to do', async (t) => {
  const home = await temporaryFolder(t)
  mkdirSync(join(home, 'folder'))
  await t.rejects(build(t, { ERASURE_LEDGER: join(home, 'nowhere', 'ledger.ndjson') }), { name: 'ConfigError', message: /^The ledger of erasures cannot be used: ENOENT.*nowhere/ })
  await t.rejects(build(t, { ERASURE_LEDGER: join(home, 'folder') }), { name: 'ConfigError', message: /folder is not an ordinary file/ })
  const faults = createFaults()
  faults.inject({ on: 'open', path: /ledger\.ndjson/, nth: 2, errno: 'EROFS' })
  await t.rejects(build(t, { ERASURE_LEDGER: join(home, 'ledger.ndjson') }, { fs: faults.fs }), { name: 'ConfigError', message: /EROFS/ })
})
