// The object store on Azure Blob Storage, as its emulator Azurite has it: the contract, and what faults do to it.
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { createAzureObjects } from '../../src/storage/objects/azure/azure.ts'
import { openObjects } from '../../src/storage/objects/open.ts'
import { temporaryFolder } from '../helper.ts'
import { conforms } from '../storage/objects/conformance.ts'
import { azurite } from './fixtures/azurite.ts'
import { survives } from './fixtures/object-faults.ts'

test('Azure Blob Storage on Azurite', async (t) => {
  const store = await azurite(t)
  Object.assign(process.env, store.environment)
  await store.makeContainer('uploads')
  const address = { kind: 'azblob', container: 'uploads', prefix: '', endpoint: store.endpoint, isPathStyle: false } as const

  await t.test('the contract', async (t) => {
    const prefix = `${randomUUID()}/`
    conforms(t, { open: () => createAzureObjects({ ...address, prefix }) })
  })

  await t.test('faults', async (t) => {
    survives(t, {
      endpoint: store.endpoint,
      open: (endpoint) => createAzureObjects({ ...address, prefix: 'faults/', endpoint }),
      // What was staged and never committed is no upload that anybody could end: the service drops it after a week.
      unfinished: async () => 0,
      kill: store.stop,
      restart: store.restart,
      freeze: store.freeze,
      thaw: store.thaw,
    })
  })

  await t.test('what was never committed is not there, and keeps nobody from putting it', async (t) => {
    const objects = await createAzureObjects({ ...address, prefix: 'staged/' })
    t.teardown(() => objects.close())
    await store.service.getContainerClient('uploads').getBlockBlobClient('staged/file').stageBlock(Buffer.from(`${randomUUID()}-000001`).toString('base64'), Buffer.from('other'), 5)
    t.equal(await objects.head('file'), undefined)
    for await (const page of objects.list('')) t.strictSame(page, [])
    t.equal(await objects.sweepUnfinished(new Date()), 0)
    const path = join(await temporaryFolder(t), 'source')
    const size = 9 * 1024 ** 2
    await writeFile(path, Buffer.alloc(size))
    await objects.putFile('file', { path, size }, { ifAbsent: true })
    t.equal((await objects.head('file'))?.size, size)
  })

  await t.test('what is wrong with a container or the key is told with what to do', async (t) => {
    await t.rejects(openObjects({ ...address, container: 'elsewhere' }), { code: 'EACCES', message: /no container elsewhere/ })
    t.teardown(() => Object.assign(process.env, store.environment))
    process.env['AZURE_STORAGE_KEY'] = Buffer.from('wrong').toString('base64')
    await t.rejects(openObjects(address), { code: 'EACCES', message: /check the key/ })
  })

  await t.test('a connection string does as well', async (t) => {
    const { AZURE_STORAGE_ACCOUNT: account = '', AZURE_STORAGE_KEY: key = '' } = store.environment
    t.teardown(() => { delete process.env['AZURE_STORAGE_CONNECTION_STRING'] })
    process.env['AZURE_STORAGE_CONNECTION_STRING'] = `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${key};BlobEndpoint=${store.endpoint};`
    const objects = await openObjects({ ...address, prefix: 'connected/', endpoint: undefined })
    t.teardown(() => objects.close())
    await objects.putBytes('file', Buffer.from('bytes'))
    const url = await objects.presign('file', 60, { contentType: 'text/plain', contentDisposition: 'inline', cacheControl: 'no-store' })
    t.equal(await (await fetch(url)).text(), 'bytes')
  })
})
