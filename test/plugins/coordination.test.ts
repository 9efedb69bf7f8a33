import Fastify from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { test } from 'tap'
import { coordination } from '../../src/plugins/coordination.ts'
import { collectLog } from '../fixtures/log.ts'
import { freePort } from '../system/postgres.ts'

test('it is there for whoever comes after it, and goes with the gateway', async (t) => {
  const app = Fastify()
  app.register(fastifyPlugin(async () => {}, { name: 'storage' }))
  app.register(coordination, { config: { database: { kind: 'sqlite', file: '/nowhere' }, isReadOnly: false } })
  await app.ready()
  t.equal(app.coordination.leads(), true)
  await app.close()
})

test('what becomes of it is logged, and keeps the gateway neither from its start nor from its stop', async (t) => {
  const log = collectLog()
  const app = Fastify({ logger: { level: 'info', stream: log.stream } })
  app.register(fastifyPlugin(async () => {}, { name: 'storage' }))
  app.register(coordination, { config: { database: { kind: 'postgresql', url: `postgres://somebody@127.0.0.1:${await freePort()}/nothing` }, isReadOnly: false } })
  await app.ready()
  t.equal(app.coordination.leads(), false)
  await app.close()
  t.match(log.lines(), [{ level: 40, msg: /^PostgreSQL cannot be reached/, err: { code: 'ECONNREFUSED' } }])
})
