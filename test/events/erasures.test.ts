import { setImmediate } from 'node:timers/promises'
import { test } from 'tap'
import { build } from '../helper.ts'
import { refusing, taken } from './fixtures/receiver.ts'
import { idOf, toldGateway } from './fixtures/told.ts'

test('an erasure is told for every file, those in the trash too; what was told before and not delivered says nothing any more', async (t) => {
  const name = 'ada-with-a-name-of-her-own'
  const { attach, setAvatar, send, erase, receiver, client, app, delivered } = await toldGateway(t)
  const held: Array<() => void> = []
  receiver.answerWith((response) => { held.push(() => { response.writeHead(500).end() }) })
  const id = idOf(await attach(name, 'a-secret-of-hers.txt'))
  await receiver.until(1)
  const gone = idOf(await attach(name, 'another-secret.txt'))
  await send(name, 'DELETE', `/api/attachments/${gone}`)
  const version = (await setAvatar(name, 1)).json().version
  await attach('bob', 'of-bob.txt')
  t.equal((await erase(name)).statusCode, 200)
  t.strictSame((await client.event.findMany({ where: { payload: { contains: 'secret' } } })).map((row) => row.type), [])
  t.equal((await client.event.findMany({ where: { payload: { contains: name }, type: { not: { endsWith: '.erased' } } } })).length, 0)

  receiver.answerWith(taken)
  for (const release of held) release()
  await delivered()
  const hers = receiver.messages().filter(({ ownerId }) => ownerId === name)
  t.strictSame(hers.slice(1).map(({ type, id: _, data }) => [type, data['id'] ?? data['version']]).sort(), [['attachment.erased', id], ['attachment.erased', gone], ['avatar.erased', version]].sort())
  t.strictSame(hers.slice(1).find(({ data }) => data['id'] === id)?.data, { id, url: `/api/attachments/${id}/content` })
  t.match(receiver.messages().filter(({ ownerId }) => ownerId === 'bob'), [{ type: 'attachment.created' }])

  t.equal((await erase(name)).statusCode, 200)
  t.equal((await attach(name, 'new.txt')).statusCode, 201, 'a new user of that id')
  await delivered()
  await app.close()
  t.strictSame(receiver.messages().filter(({ ownerId }) => ownerId === name).map(({ type }) => type).sort(), ['attachment.created', 'attachment.created', 'attachment.erased', 'attachment.erased', 'avatar.erased'], 'nothing is told twice')
})

test('an erasure does not take what is told of a later user of that id, nor does its replay', async (t) => {
  const { attach, erase, receiver, app, folder } = await toldGateway(t)
  receiver.answerWith(refusing(503))
  await attach('ada', 'old.txt')
  await receiver.until(1)
  await erase('ada')
  await attach('ada', 'new.txt')
  await app.close()
  const before = receiver.got.length
  receiver.answerWith(taken)
  const again = await build(t, { ...receiver.settings, UPLOADS_DIR: folder })
  while (await again.app.database.client.event.count() > 0) await setImmediate()
  t.match(receiver.messages().slice(before), [{ type: 'attachment.erased' }, { type: 'attachment.created', data: { filename: 'new.txt' } }])
})
