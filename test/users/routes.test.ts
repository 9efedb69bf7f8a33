import { test } from 'tap'
import { openSecrets } from '../../src/records/secrets.ts'
import { openReceipts } from '../../src/users/receipt.ts'
import { withUploads } from './fixtures.ts'

test('only an admin erases, and gets a receipt that proves it', async (t) => {
  const gateway = await withUploads(t)
  const { app, as, folder } = gateway
  await gateway.attach('ada', 'a.txt')
  const ask = async (user: string, ...who: Parameters<typeof as>) => app.inject({ method: 'DELETE', url: `/api/users/${user}/uploads`, headers: await as(...who) })
  t.match(await app.inject({ method: 'DELETE', url: '/api/users/ada/uploads' }), { statusCode: 401 })
  for (const refused of [await ask('ada', 'ada'), await ask('me', 'ada'), await ask('ada', 'billing', 'uploads:service')]) {
    t.match(refused, { statusCode: 403 })
    t.match(refused.json(), { code: 'SCOPE_MISSING' })
  }
  t.equal(await app.database.client.blob.count(), 1)
  for (const wrong of ['..%2Fx', 'a%20b', 'x'.repeat(129)]) t.match((await ask(wrong, 'root', 'uploads:admin')).json(), { code: 'REQUEST_INVALID' })
  const answer = await ask('ada', 'root', 'uploads:admin')
  t.match(answer, { statusCode: 200, headers: { 'cache-control': 'no-store' } })
  const { erased, receipt } = answer.json()
  t.strictSame(await (await openReceipts(openSecrets(app.database, `${folder}/database/gateway.sqlite`))).verify(receipt), erased)
  t.notMatch(answer.body, /"ada"/)
  t.equal(await app.database.client.blob.count(), 0)
  await gateway.attach('root', 'a.txt')
  t.match((await ask('me', 'root', 'uploads:admin')).json(), { status: 400, code: 'REQUEST_INVALID', detail: /"me" is nobody here/ }, 'nobody erases themselves by a slip')
  t.equal(await app.database.client.blob.count(), 1)
})

test('what a name cannot be has no export', async (t) => {
  const { app, as } = await withUploads(t)
  t.match((await app.inject({ url: '/api/users/a%20b/export', headers: await as('ada') })).json(), { code: 'REQUEST_INVALID' })
  t.equal((await app.inject({ method: 'HEAD', url: '/api/users/me/export', headers: await as('ada') })).statusCode, 405, 'nor is all of it read for a HEAD')
})

test('the description says who may call it, what comes of it, and whom the parameter may name', async (t) => {
  const { app } = await withUploads(t)
  const { paths } = (await app.inject('/openapi.json')).json()
  const erasing = paths['/api/users/{userId}/uploads'].delete
  const exporting = paths['/api/users/{userId}/export'].get
  for (const { description, responses } of [erasing, exporting]) {
    t.match(description, /with the scope uploads:admin/)
    t.match(responses[403].description, /`SCOPE_MISSING`: This needs a token with the scope uploads:admin\./)
  }
  t.match(exporting.description, /^For the user themselves/)
  t.match(erasing.responses[200].description, /^Everything is erased\./)
  t.match(exporting.responses[200].description, /manifest\.json.*missing.*damaged/)
  t.match([erasing, exporting].map(({ parameters: [{ description }] }) => description), [/Not "me"/, /or "me" for your own/])
})
