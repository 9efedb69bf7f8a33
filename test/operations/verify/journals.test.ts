import { execFileSync } from 'node:child_process'
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { checkJournals, unreadableJournals } from '../../../src/operations/verify/journals.ts'
import { folderFor } from '../../storage/fixtures/volume.ts'
import { placeFor } from '../fixtures/place.ts'

test('lines that are damaged are counted, in every place; one that was being written is none', async (t) => {
  const secondLedger = join(await folderFor(t), 'ledger')
  const { root, fs, storage } = await placeFor(t, { secondLedger })
  const { erasures, tombstones } = storage
  let pauses = 0
  const journals = { root, fs, storage, pause: async () => { pauses += 1 } }
  t.same(await checkJournals(journals), [])
  await erasures.append({ id: 'x', epoch: 1, owner: 'o', volume: storage.hash('volume', ''), at: new Date().toISOString() })
  await tombstones.add(['k'], new Date())
  t.same(await checkJournals(journals), [])
  t.equal(pauses, 0)
  await appendFile(join(root, 'erasures.ndjson'), '{"half\n')
  await appendFile(secondLedger, '{"half\n{"half\n')
  await appendFile(join(root, 'tombstones.ndjson'), 'x')
  t.match(await checkJournals(journals), [
    { problem: 'ledger-damaged', path: 'erasures.ndjson', detail: 'One line of it is damaged.' },
    { problem: 'ledger-damaged', path: secondLedger, detail: '2 lines of it are damaged.' },
    { problem: 'ledger-damaged', path: 'tombstones.ndjson' },
  ])
  const whole = async () => { for (const path of [join(root, 'erasures.ndjson'), join(root, 'tombstones.ndjson'), secondLedger]) await rm(path) }
  t.same(await checkJournals({ ...journals, pause: whole }), [])
})

test('what is no file is told before anybody waits for it', async (t) => {
  const { root, faults } = await placeFor(t)
  t.same(await unreadableJournals({ root, fs: faults.fs }), [])
  execFileSync('mkfifo', [join(root, 'erasures.ndjson')])
  await mkdir(join(root, 'tombstones.ndjson'))
  t.match(await unreadableJournals({ root, fs: faults.fs }), [{ path: 'erasures.ndjson', detail: /special file/ }, { path: 'tombstones.ndjson', detail: /folder/ }])
  await rm(join(root, 'erasures.ndjson'))
  await writeFile(join(root, 'erasures.ndjson'), '')
  faults.inject({ on: 'open', path: /erasures/, errno: 'EACCES' })
  t.match(await unreadableJournals({ root, fs: faults.fs }), [{ detail: /cannot be read \(EACCES/ }, {}])
})
