import { execFileSync } from 'node:child_process'
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { checkJournals, unreadableJournals } from '../../../src/operations/verify/journals.ts'
import { createJournaled } from '../../../src/records/journaled.ts'
import { folderFor } from '../../storage/fixtures/volume.ts'
import { placeFor } from '../fixtures/place.ts'

test('lines that are damaged are counted, in every place; one that was being written is none', async (t) => {
  const secondLedger = join(await folderFor(t), 'ledger')
  const { root, fs, storage, client, now } = await placeFor(t, { secondLedger })
  await storage.erasures.reconcile()
  const { erasures, tombstones } = storage
  let pauses = 0
  const journals = { root, fs, storage, now, journaled: createJournaled(client), pause: async () => { pauses += 1 } }
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
  const whole = async () => { for (const path of [join(root, 'erasures.ndjson'), join(root, 'tombstones.ndjson'), secondLedger]) await writeFile(path, '') }
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

test('what the database knows and the journals have lost is told', async (t) => {
  const secondLedger = join(await folderFor(t), 'ledger')
  const { root, fs, storage, client, now, clock, tombstones, attachment } = await placeFor(t, { secondLedger })
  const journals = { root, fs, storage, now, journaled: createJournaled(client), pause: async () => {} }
  t.match(await checkJournals(journals), [{ path: 'erasures.ndjson', detail: /missing/, mend: /next start/ }, { path: secondLedger, detail: /missing/ }])
  await storage.erasures.reconcile()
  const begun = async (epoch: number) => client.erasure.create({ data: { epoch, id: `e${epoch}`, ownerKey: 'o', createdAt: now() } })
  await begun(1)
  await tombstones.entomb([{ ...await attachment('a', { aliases: ['/old'] }), source: null }])
  t.same(await checkJournals(journals), [], 'an erasure that began just now is about to be written')
  clock.date = new Date(Date.now() + 2 * 60_000)
  t.match(await checkJournals(journals), [{ problem: 'ledger-damaged', path: 'erasures.ndjson', detail: /an erasure that no place/ }])
  await begun(2)
  clock.date = new Date(Date.now() + 4 * 60_000)
  await rm(join(root, 'tombstones.ndjson'))
  t.match(await checkJournals(journals), [{ detail: /2 erasures that no place/ }, { path: 'tombstones.ndjson', detail: /1 of its keys/, mend: /audit --repair/ }])
  for (const epoch of [1, 2]) await storage.erasures.append({ id: `e${epoch}`, epoch, owner: 'o', volume: storage.hash('volume', ''), at: now().toISOString() })
  t.match(await checkJournals(journals), [{ path: 'tombstones.ndjson' }])
})
