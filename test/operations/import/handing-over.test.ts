import { test } from 'tap'
import { handOver } from '../../../src/operations/import/handing-over.ts'
import type { Heir } from '../../../src/records/imports.ts'
import type { BlobId } from '../../../src/storage/ids.ts'
import { picture } from '../../helper.ts'
import { attachment, avatar, home } from './fixtures/import.ts'

async function copied (t: Parameters<typeof home>[0]) {
  const gateway = await home(t)
  const bytes = await picture('png')
  await gateway.importing([attachment('/i/ada.png', bytes, { isOwnerless: true })])
  const [{ sha256 = '' } = {}] = gateway.entries
  const behind = async () => (await gateway.app.database.client.alias.findUnique({ where: { path: '/i/ada.png' }, include: { blob: true } }))?.blob
  return { ...gateway, bytes, behind, claim: { ...avatar('ada', bytes), sha256 } }
}

test('the old path goes to the picture itself, and the copy to the trash of its owner, who may be erased then', async (t) => {
  const { as, tools, importing, claim, bytes, behind, app } = await copied(t)
  await importing([avatar('ada', bytes, { paths: [] })])
  await handOver(tools, claim, 0, { outcome: 'there' })
  t.match(await behind(), { kind: 'avatar', ownerId: 'ada', state: 'live', sidecarDueAt: null })
  t.match(await app.database.client.attachment.findMany({ include: { blob: true } }), [{ ownerId: 'ada', deletedAt: Date, blob: { ownerId: 'ada', creatorId: 'archive', state: 'deleted', sidecarDueAt: null } }])
  await handOver(tools, claim, 0, { outcome: 'there' })
  t.match(await behind(), { ownerId: 'ada' }, 'a second time there is nothing to do')
  t.match(await app.inject({ method: 'DELETE', url: '/api/users/ada/uploads', headers: await as('root', 'uploads:admin') }), { statusCode: 200 })
  t.equal(await app.database.client.blob.count(), 0)
})

test('of what is not to be seen any more, the old path stays with what is in the trash', async (t) => {
  const { tools, importing, claim, bytes, behind, app } = await copied(t)
  await importing([avatar('ada', bytes, { paths: [] })])
  await handOver(tools, claim, 0, { outcome: 'kept', code: 'erased' })
  t.match(await behind(), { kind: 'attachment', ownerId: 'archive', state: 'deleted', sidecarDueAt: null })
  t.equal((await app.inject({ url: '/i/ada.png' })).statusCode, 404)
})

test('whatever comes between, it is looked at again, and given up in the end', async (t) => {
  const { tools, importing, claim, bytes, behind, app } = await copied(t)
  await importing([avatar('ada', bytes, { paths: [] })])
  const heirs: Array<Heir | undefined> = []
  const records = {
    ...tools.records,
    async handOver (ids: readonly BlobId[], heir: Heir | undefined) {
      heirs.push(heir)
      // The picture is purged meanwhile.
      await app.database.client.blob.deleteMany({ where: { kind: 'avatar' } })
      return tools.records.handOver(ids, heir)
    },
  }
  await handOver({ ...tools, records }, claim, 0, { outcome: 'there' })
  t.match(heirs, [{ ownerId: 'ada', epoch: 0 }, undefined])
  t.match(await behind(), { kind: 'attachment', state: 'deleted' })

  const erased = await copied(t)
  await erased.importing([avatar('ada', erased.bytes, { paths: [] })])
  const { client } = erased.app.database
  await client.owner.update({ where: { key: erased.app.storage.hash('owner', 'ada') }, data: { epoch: 1 } })
  let asked = 0
  const presentOf: typeof records.presentOf = async (all) => (await erased.tools.records.presentOf(all)).map((present) => ({ ...present, isErased: (asked += 1) > 1 }))
  await handOver({ ...erased.tools, records: { ...erased.tools.records, presentOf } }, erased.claim, 0, { outcome: 'imported' })
  t.match(await erased.behind(), { kind: 'attachment', ownerId: 'archive', state: 'deleted' }, 'the owner is erased meanwhile')

  const second = await copied(t)
  await t.rejects(handOver({ ...second.tools, records: { ...second.tools.records, handOver: async () => false } }, second.claim, 0, { outcome: 'there' }), { code: 'UPLOAD_CONFLICT' })
  await t.rejects(handOver({ ...second.tools, records: { ...second.tools.records, handOver: async () => { throw new Error('gone') } } }, second.claim, 0, { outcome: 'there' }), { message: 'gone' })
  t.match(await second.behind(), { state: 'live' })
})
