import { test } from 'tap'
import { atHome } from '../../src/operations/at-home.ts'
import { fileSystem } from '../../src/storage/fs.ts'
import { homeFor } from '../fixtures/object-home.ts'

test('work is done in the home that the settings name, or in the one that is given', async (t) => {
  const { config, fs } = await homeFor(t)
  t.equal(await atHome(config, undefined, async (home) => home), fileSystem)
  t.equal(await atHome(config, fs, async (home) => home), fs)
  await t.rejects(atHome(config, fs, async () => { throw new Error('no') }), { message: 'no' })
})
