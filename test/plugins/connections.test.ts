import { writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import Fastify from 'fastify'
import { test } from 'tap'
import { connectionLimit, connections } from '../../src/plugins/connections.ts'
import { temporaryFolder } from '../helper.ts'

const limits = (soft: number | string) => `Limit                     Soft Limit           Hard Limit           Units\nMax processes             100                  100                  processes\nMax open files            ${soft}                 4096                 files\n`

test('each connection leaves room for a file', (t) => {
  t.equal(connectionLimit(limits(1024)), 448)
  t.equal(connectionLimit(limits(20_000)), 9936)
  t.equal(connectionLimit(limits(64)), 16, 'never so few that nobody can connect')
  t.equal(connectionLimit(limits('unlimited')), undefined)
  t.equal(connectionLimit(undefined), undefined)
  t.end()
})

test('a connection too many is closed, and one that follows a closed one is served', async (t) => {
  const limitsFile = join(await temporaryFolder(t), 'limits')
  await writeFile(limitsFile, limits(160))
  const app = Fastify({ forceCloseConnections: true })
  await app.register(connections, { limitsFile })
  app.get('/', async () => 'fine')
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  const { port } = app.server.address() as AddressInfo
  const clients = Array.from({ length: 17 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  t.teardown(() => { for (const client of clients) client.destroy() })
  await Promise.race(clients.map((client) => once(client, 'close')))
  t.equal(clients.filter(({ closed }) => !closed).length, 16)
  for (const client of clients) client.destroy()
  let status = 0
  for (let tries = 0; status !== 200 && tries < 100; tries += 1) status = await fetch(url).then((answer) => answer.status, () => 0)
  t.equal(status, 200)
})

test('where nothing says how many there are, there is no limit', async (t) => {
  const app = Fastify()
  await app.register(connections, { limitsFile: '/nonexistent' })
  t.equal(app.server.maxConnections, undefined)
})
