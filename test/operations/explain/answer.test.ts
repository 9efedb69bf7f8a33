import t from 'tap'
import type { UserId } from '../../../src/callers/caller.ts'
import { createAnswers } from '../../../src/operations/explain/answer.ts'
import { createKeyedHash } from '../../../src/storage/keyed-hash.ts'
import { newBlobId } from '../../../src/storage/ids.ts'
import type { Sidecar } from '../../../src/storage/sidecar.ts'
import { fileSystem } from '../../../src/storage/fs.ts'
import { databaseFor, keep } from '../../records/fixtures/database.ts'
import { sidecarFor } from '../../storage/fixtures/volume.ts'

const ada = 'ada' as UserId

t.test('who gets a file is what the gateway itself would say, without the file being there', async (t) => {
  const { client } = await databaseFor(t)
  const answers = createAnswers({ client, fs: fileSystem, root: '/nowhere', hash: createKeyedHash('x'), now: () => new Date() })
  const attachment = (visibility: string, others: Partial<Sidecar> = {}) => sidecarFor('x', { kind: 'attachment', recordId: newBlobId(), filename: 'a', visibility, aliases: [`/uploads/${visibility}`], ...others })
  const [open, closed] = [attachment('public'), attachment('private')]
  const avatar = sidecarFor('x', { aliases: ['/i/p/1.png'] })
  for (const sidecar of [open, closed, avatar]) await keep(client, sidecar)
  t.equal(await answers({ is: 'current avatar', userId: ada }), 'nobody')
  await client.avatar.create({ data: { userId: 'ada', blobId: avatar.id } })

  t.equal(await answers({ is: 'current avatar', userId: ada }), 'anyone')
  t.equal(await answers({ is: 'user', userId: ada }), 'anyone')
  t.equal(await answers({ is: 'version', userId: ada, id: avatar.id }), 'anyone')
  t.equal(await answers({ is: 'version', userId: 'bob' as UserId, id: avatar.id }), 'nobody')
  t.equal(await answers({ is: 'attachment', id: open.recordId ?? '' }), 'anyone')
  t.equal(await answers({ is: 'attachment', id: closed.recordId ?? '' }), 'its owner and services')
  t.equal(await answers({ is: 'attachment', id: newBlobId() }), 'nobody')
  t.equal(await answers({ is: 'old path', path: '/i/p/1.png' }), 'anyone')
  t.equal(await answers({ is: 'old path', path: '/uploads/public' }), 'anyone')
  t.equal(await answers({ is: 'old path', path: '/uploads/private' }), 'its owner and services')
  t.equal(await answers({ is: 'old path', path: '/uploads/none' }), 'nobody')
  t.equal(await answers({ is: 'sha256', sha256: avatar.sha256 }), 'nobody', 'a hash is no address')
})

t.test('a failure is not taken for a 404', async (t) => {
  const { client } = await databaseFor(t)
  const answers = createAnswers({ client, fs: fileSystem, root: '/nowhere', hash: createKeyedHash('x'), now: () => new Date() })
  await client.$executeRaw`DROP TABLE "Avatar"`
  await t.rejects(answers({ is: 'current avatar', userId: ada }), { code: 'DATABASE_UNAVAILABLE' })
})
