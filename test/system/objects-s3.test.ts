// The object store on a real S3 engine, Ceph's RADOS Gateway: the contract, and what faults do to it.
import { randomUUID } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { test } from 'tap'
import { openObjects } from '../../src/storage/objects/open.ts'
import { createS3Objects } from '../../src/storage/objects/s3/s3.ts'
import { conforms } from '../storage/objects/conformance.ts'
import { ceph } from './fixtures/ceph.ts'
import { survives } from './fixtures/object-faults.ts'
import { until } from './machine.ts'

test('S3 on Ceph', async (t) => {
  const store = await ceph(t)
  Object.assign(process.env, store.environment)
  await store.makeBucket('uploads')
  const address = { kind: 's3', container: 'uploads', prefix: '', endpoint: store.endpoint, isPathStyle: true } as const

  async function unfinished (): Promise<number> {
    const { Uploads = [] } = await store.client.send(new ListMultipartUploadsCommand({ Bucket: 'uploads' }))
    return Uploads.length
  }

  await t.test('the contract', async (t) => {
    const prefix = `${randomUUID()}/`
    conforms(t, { open: async () => createS3Objects({ ...address, prefix }) })
  })

  await t.test('faults', async (t) => {
    survives(t, {
      endpoint: store.endpoint,
      open: async (endpoint) => createS3Objects({ ...address, prefix: 'faults/', endpoint }),
      unfinished,
      kill: store.killGateway,
      restart: store.restartGateway,
      freeze: store.freezeGateway,
      thaw: store.thawGateway,
    })
  })

  await t.test('uploads that nobody ended are ended below the prefix, once they are old enough', async (t) => {
    const objects = createS3Objects({ ...address, prefix: 'swept/' })
    t.teardown(() => objects.close())
    const [hourAgo, inAMinute] = [new Date(Date.now() - 3_600_000), new Date(Date.now() + 60_000)]
    for (const key of [...Array.from({ length: 3 }, (_, index) => `swept/${index}`), 'other/1']) await store.client.send(new CreateMultipartUploadCommand({ Bucket: 'uploads', Key: key }))
    t.equal(await objects.sweepUnfinished(hourAgo), 0)
    t.equal(await unfinished(), 4)
    t.equal(await objects.sweepUnfinished(inAMinute), 3)
    t.equal(await unfinished(), 1)
  })

  await t.test('what is wrong with a bucket or its credentials is told with what to do', async (t) => {
    await t.rejects(openObjects({ ...address, container: 'elsewhere' }), { code: 'EACCES', message: /no bucket elsewhere/ })
    const { AWS_ACCESS_KEY_ID: id = '', AWS_SECRET_ACCESS_KEY: secret = '' } = process.env
    t.teardown(() => Object.assign(process.env, { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret }))
    process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong'
    await t.rejects(openObjects(address), { code: 'EACCES', message: /AWS_SECRET_ACCESS_KEY/ })
    process.env['AWS_ACCESS_KEY_ID'] = 'nobody'
    await t.rejects(openObjects(address), { code: 'EACCES', message: /AWS_ACCESS_KEY_ID/ })
  })

  await t.test('a bucket over its quota is full, and what is there is read', async (t) => {
    await store.makeBucket('narrow')
    const objects = createS3Objects({ ...address, container: 'narrow' })
    t.teardown(() => objects.close())
    await objects.putBytes('first', Buffer.from('bytes'))
    await store.admin('quota', 'set', '--quota-scope=bucket', '--uid=test', '--bucket=narrow', '--max-objects=1')
    await store.admin('quota', 'enable', '--quota-scope=bucket', '--uid=test', '--bucket=narrow')
    // The gateway knows its quotas from a cache.
    await store.killGateway()
    await store.restartGateway()
    let error: unknown
    await until('the quota holds', async () => {
      error = await objects.putBytes(`more/${randomUUID()}`, Buffer.from('bytes')).catch((reason: unknown) => reason)
      return error !== undefined
    })
    t.match(error, { name: 'ObjectsFull', code: 'ENOSPC' })
    t.equal((await objects.head('first'))?.size, 5)
  })
})

test('Ceph with three OSDs, of which one is killed and comes back', async (t) => {
  const store = await ceph(t, { osds: 3, store: 'bluestore' })
  Object.assign(process.env, store.environment)
  await store.makeBucket('uploads')
  const objects = createS3Objects({ kind: 's3', container: 'uploads', prefix: '', endpoint: store.endpoint, isPathStyle: true })
  t.teardown(() => objects.close())
  const put: string[] = []

  async function putSome (name: string): Promise<void> {
    for (let index = 0; index < 20; index += 1) {
      const key = `${name}/${index}`
      // Placement groups of the one that died answer again when the others know of it.
      await until(`${key} is put`, () => objects.putBytes(key, Buffer.from(key)).then(() => true, () => false), 60_000)
      put.push(key)
    }
  }
  async function expectAll (): Promise<void> {
    const found: string[] = []
    for await (const page of objects.list('')) found.push(...page.map(({ key }) => key))
    t.strictSame(found, put.toSorted())
    for (const key of put) t.equal((await buffer(await objects.read(key))).toString(), key)
  }

  await putSome('before')
  await store.killOsd(1)
  await putSome('without')
  await expectAll()
  await store.restartOsd(1)
  await putSome('with')
  await expectAll()
})
