// A gateway killed in the middle of its work, again and again (I4, I5, promise 1).
import { randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { temporaryFolder } from '../helper.ts'
import { audit, partialFiles, staging } from './audit.ts'
import { attachmentIn, call, get, sha256 } from './client.ts'
import { bearer, start } from './gateway.ts'
import { pause, until } from './machine.ts'
import { createUploaders, lost } from './uploaders.ts'

/** CYCLES=20 npm run test:system -- test/system/kill.test.ts for more. */
const cycles = Number(process.env['CYCLES'] ?? 8)
const parallel = 8
const sweeping = { SWEEP_INTERVAL_SECONDS: '1', SWEEP_GRACE_SECONDS: '1' }

t.test(`after each of ${cycles} kills under ${parallel} uploaders, every acknowledged upload is there`, { timeout: 600_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const uploaders = createUploaders()
  let gateway = await start(t, folder, sweeping)

  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    const fresh = await uploaders.untilKilled(gateway, parallel)
    gateway = await start(t, folder, sweeping)
    t.match(staging(folder), [{ pid: gateway.pid, files: { length: 0 } }], 'staging holds nothing but the new process\'s own empty folder')
    t.equal(staging(folder).length, 1)
    t.same(await lost(gateway, fresh), [], `cycle ${cycle}: all of ${fresh.length} are there, byte by byte`)
    t.same(audit(folder, { isHashed: false }).broken, [], 'no row is without its blob and sidecar')
    if (cycle % 5 === 0 || cycle === cycles) await until('no file is without a row', () => audit(folder, { isHashed: false }).orphans.length === 0)
  }

  const { orphans, broken, rows } = audit(folder)
  t.same(orphans, [])
  t.same(broken, [])
  t.same(partialFiles(folder, uploaders.sent), [])
  t.same(await lost(gateway, uploaders.acknowledged), [])
  t.comment(`${cycles} kills, ${uploaders.acknowledged.length} acknowledged, ${uploaders.sent.size} sent, ${rows.length} rows`)
  t.equal((await gateway.stop()).code, 0)
})

t.test('a second process on the same volume leaves the staging of a running one alone', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await start(t, folder, sweeping)
  const bytes = randomBytes(3 * 1024 ** 2)
  const body = new PassThrough()
  const answer = call(first, '/api/attachments', { method: 'POST', headers: { ...await bearer('ada'), 'content-type': 'application/octet-stream' }, body })
  body.write(bytes.subarray(0, 2 * 1024 ** 2))
  const inFlight = () => staging(folder).find(({ pid }) => pid === first.pid)?.files ?? []
  await until('the upload is in staging', () => inFlight().length === 1)
  const [file] = inFlight()

  const second = await start(t, folder, sweeping)
  await pause(2500)
  t.same(inFlight(), [file], 'it is still there after the other started and swept twice')
  t.equal((await second.kill()).signal, 'SIGKILL')
  const third = await start(t, folder, sweeping)
  t.same(staging(folder).map(({ pid }) => pid).sort(), [first.pid, third.pid].sort(), 'only the dead one\'s folder is gone')

  body.end(bytes.subarray(2 * 1024 ** 2))
  const kept = attachmentIn(await answer)
  t.equal(kept.sha256, sha256(bytes))
  t.equal(sha256((await get(third, kept.url, 'ada')).body), sha256(bytes), 'and the third process serves it')
})
