import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { backup } from '../../../src/operations/backup/backup.ts'
import { pruneErased } from '../../../src/operations/backup/prune.ts'
import { findSnapshots } from '../../../src/operations/backup/snapshots.ts'
import { verifyBackup } from '../../../src/operations/backup/verify.ts'
import { silent as progress } from '../../../src/operations/progress.ts'
import { fileSystem } from '../../../src/storage/fs.ts'
import { filesBelow, furnished } from '../fixtures/furnished.ts'

t.test('who is named on files of others and in what was not told yet is gone from there too', async (t) => {
  const settings = { WEBHOOK_URL: 'http://127.0.0.1:9/hook', WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 1).toString('base64')}` }
  const { app, as, config, dir, attach, erase } = await furnished(t, settings)
  const victim = 'erased-user'
  const { id } = await attach('ada', 'of ada')
  const keyed = { 'idempotency-key': 'one' }
  t.match(await app.inject({ method: 'PATCH', url: `/api/attachments/${id}`, headers: { ...await as('ada'), ...keyed }, payload: { readers: [victim, 'kim'] } }), { statusCode: 200 })
  t.match(await app.inject({ method: 'POST', url: `/api/attachments/${id}/links`, headers: { ...await as(victim, 'uploads:service'), ...keyed } }), { statusCode: 201 })
  const resumable = { 'tus-resumable': '1.0.0', 'upload-length': '5' }
  t.match(await app.inject({ method: 'POST', url: '/api/resumable', headers: { ...await as('ada'), ...resumable, 'upload-metadata': `readers ${Buffer.from(victim).toString('base64')}` } }), { statusCode: 201 })
  t.match(await app.inject({ method: 'POST', url: '/api/resumable', headers: { ...await as(victim), ...resumable } }), { statusCode: 201 })
  await attach(victim, 'of the user')
  await backup(config, { to: { dir }, progress })
  t.equal(await erase(victim), 200)
  // The webhook never took what there was to tell.
  await backup(config, { to: { dir }, progress })

  t.match(await pruneErased(config, dir, { progress }), { snapshots: 2, erasedUploads: 1, erasedMentions: 4, findings: { length: 0 } })
  for (const path of await filesBelow(dir)) {
    const bytes = await readFile(join(dir, path))
    for (const text of [victim, Buffer.from(victim).toString('base64').slice(0, 12)]) t.notOk(bytes.includes(text), `${text} in ${path}`)
  }
  const [first] = await findSnapshots(fileSystem, dir)
  t.match((await readFile(join(first?.root ?? '', 'manifest.ndjson'), 'utf8')), /"readers":\["kim"\]/)
  t.same((await verifyBackup(dir, { progress })).findings, [])
  t.match(await pruneErased(config, dir, { progress }), { prunedSnapshots: { length: 0 }, erasedMentions: 0 }, 'a second time there is nothing to do')
})

t.test('a snapshot that only names an erased user as a reader is pruned', async (t) => {
  const { app, as, config, dir, attach, erase } = await furnished(t)
  const { id } = await attach('ada', 'of ada')
  t.match(await app.inject({ method: 'PATCH', url: `/api/attachments/${id}`, headers: await as('ada'), payload: { readers: ['erased-user'] } }), { statusCode: 200 })
  await backup(config, { to: { dir }, progress })
  t.equal(await erase('erased-user'), 200)
  const report = await pruneErased(config, dir, { progress })
  t.match(report, { erasedUploads: 0, erasedAccounts: 0, erasedMentions: 1 })
  t.equal(report.prunedSnapshots.length, 1)
  for (const path of await filesBelow(dir)) t.notOk((await readFile(join(dir, path))).includes('erased-user'), path)
})
