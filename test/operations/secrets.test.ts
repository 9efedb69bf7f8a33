import { join } from 'node:path'
import { test } from 'tap'
import { readConfig } from '../../src/config.ts'
import { mintToken } from '../../src/operations/token.ts'
import { withSecrets } from '../../src/operations/secrets.ts'
import type { UserId } from '../../src/callers/caller.ts'
import { databaseUrlFor } from '../fixtures/database-server.ts'
import { build, temporaryFolder } from '../helper.ts'

test('a command finds the secrets of the gateway where that keeps them, and makes none', async (t) => {
  const folder = await temporaryFolder(t)
  const url = await databaseUrlFor(t, folder)
  const config = readConfig({ UPLOADS_DIR: folder, DATABASE_URL: url })
  t.equal(await withSecrets(config, (secrets) => secrets.find('jwt.secret')), undefined)
  t.match(await withSecrets(config, async (secrets) => secrets.placeOf('jwt.secret')), url === '' ? join(folder, 'database/jwt.secret') : /^setting secret:jwt\.secret/)

  const { app } = await build(t, { UPLOADS_DIR: folder, JWT_SECRET: '' })
  t.match(await withSecrets(config, (secrets) => secrets.find('jwt.secret')), /^\S{64}$/)
  const { token } = await mintToken(config, { subject: 'ada' as UserId, scopes: [], seconds: 60 })
  t.match(await app.inject({ url: '/api/usage', headers: { authorization: `Bearer ${token}` } }), { statusCode: 200 }, 'what they sign, the gateway takes')
})

test('where secrets are brought, one that is there stays', async (t) => {
  const folder = await temporaryFolder(t)
  const config = readConfig({ UPLOADS_DIR: folder, DATABASE_URL: await databaseUrlFor(t, folder) })
  const keep = (text: string) => withSecrets(config, (secrets) => secrets.keep('link.secret', text), { isKept: true })
  t.equal(await keep('one'), true)
  t.equal(await keep('two'), false)
  t.equal(await withSecrets(config, (secrets) => secrets.find('link.secret')), 'one')
})
