import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readConfig } from '../../../src/config.ts'
import { diagnose } from '../../../src/operations/doctor/doctor.ts'
import { databaseUrlFor } from '../../fixtures/database-server.ts'
import { build, picture, temporaryFolder } from '../../helper.ts'

t.test('a gateway that runs is seen from all sides', async (t) => {
  const { app, as, folder } = await build(t)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as('ada'), 'content-type': 'image/jpeg' }, payload: await picture() })
  const { checks, counts } = await diagnose(readConfig({ UPLOADS_DIR: folder, DATABASE_URL: await databaseUrlFor(t, folder), DISK_RESERVE: '0' }), { url })
  t.strictSame([...new Set(checks.map(({ area }) => area))], ['configuration', 'volume', 'database', 'network', 'clock'])
  t.strictSame(checks.filter(({ level, name }) => level === 'problem' && !['file system', 'place', 'durability'].includes(name)), [])
  t.match(checks.find(({ name }) => name === 'ranges'), { level: 'ok' })
  t.equal(counts.ok + counts.warning + counts.problem + counts.unknown, checks.length)
})

t.test('with nothing there it says so, and makes nothing', async (t) => {
  const folder = await temporaryFolder(t)
  const { checks, counts } = await diagnose(readConfig({ UPLOADS_DIR: join(folder, 'none') }), { url: 'http://127.0.0.1:1', invalid: 'PORT is not valid.' })
  t.match(checks.find(({ area }) => area === 'configuration'), { level: 'problem', detail: /PORT is not valid/ })
  t.equal(counts.problem, 2)
  t.strictSame(readdirSync(folder), [])
})

t.test('a gateway that is at work but not reached is a problem', async (t) => {
  const { folder } = await build(t)
  const { checks } = await diagnose(readConfig({ UPLOADS_DIR: folder, DATABASE_URL: await databaseUrlFor(t, folder), PUBLIC_URL: 'http://127.0.0.1:1' }))
  t.match(checks.find(({ name }) => name === 'reachable'), { level: 'problem' })
})

t.test('a clock that jumps meanwhile is told', async (t) => {
  const folder = await temporaryFolder(t)
  let looks = 0
  const { checks } = await diagnose(readConfig({ UPLOADS_DIR: folder }), { url: 'http://127.0.0.1:1', now: () => new Date(Date.now() + 5000 * looks++) })
  t.match(checks.find(({ name }) => name === 'steadiness'), { level: 'problem', detail: /jumped by/ })
})
