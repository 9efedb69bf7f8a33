import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test, type Test } from 'tap'
import type { ObjectStoreAddress } from '../../../src/config.ts'
import { openObjects } from '../../../src/storage/objects/open.ts'

/** A store that gives the same answer to whatever it is asked. */
async function answering (t: Test, status: number, body: string, headers: Record<string, string> = {}): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(status, { 'content-type': 'application/xml', ...headers }).end(body)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const at = (kind: 's3' | 'azblob', endpoint?: string): ObjectStoreAddress => ({ kind, container: 'uploads', prefix: 'here/', endpoint, isPathStyle: true })

function environment (t: Test, settings: Record<string, string>): void {
  const before = { ...process.env }
  for (const name of Object.keys(process.env)) if (/^(AWS|AZURE)_/.test(name)) delete process.env[name]
  Object.assign(process.env, settings)
  t.teardown(() => { process.env = before })
}

const aws = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'secret' }
const azure = { AZURE_STORAGE_ACCOUNT: 'test', AZURE_STORAGE_KEY: 'c2VjcmV0' }

test('a store that answers is opened, and says where it is without credentials', async (t) => {
  environment(t, { ...aws, ...azure })
  const s3 = await openObjects(at('s3', await answering(t, 200, '<ListBucketResult></ListBucketResult>')))
  t.match(s3.name, /^s3:\/\/uploads\/here\/ at http:\/\/127/)
  await s3.close()
  const blobs = await openObjects(at('azblob', await answering(t, 200, '<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>')))
  t.match(blobs.name, /^azblob:\/\/uploads\/here\/ at 127/)
  await blobs.close()
})

test('a bucket or container that is not there is an error that says what to do', async (t) => {
  environment(t, { ...aws, ...azure })
  await t.rejects(openObjects(at('s3', await answering(t, 404, '<Error><Code>NoSuchBucket</Code></Error>'))), { code: 'EACCES', message: /no bucket uploads.*make it, or correct STORAGE_URL/ })
  await t.rejects(openObjects(at('azblob', await answering(t, 404, '<Error><Code>ContainerNotFound</Code></Error>', { 'x-ms-error-code': 'ContainerNotFound' }))), { code: 'EACCES', message: /no container uploads.*make it, or correct STORAGE_URL/ })
})

test('a store that does not let us in is an error that says what to do', async (t) => {
  environment(t, { ...aws, ...azure })
  await t.rejects(openObjects(at('s3', await answering(t, 403, '<Error><Code>AccessDenied</Code></Error>'))), { code: 'EACCES', message: /s3:ListBucket/ })
  await t.rejects(openObjects(at('s3', await answering(t, 403, '<Error><Code>InvalidAccessKeyId</Code></Error>'))), { code: 'EACCES', message: /AWS_ACCESS_KEY_ID/ })
  await t.rejects(openObjects(at('azblob', await answering(t, 403, '<Error><Code>AuthenticationFailed</Code></Error>'))), { code: 'EACCES', message: /Storage Blob Data Contributor/ })
})

test('a store that cannot be reached is not there now', async (t) => {
  environment(t, { ...aws, ...azure })
  await t.rejects(openObjects(at('s3', 'http://127.0.0.1:1')), { code: 'EIO' })
  await t.rejects(openObjects(at('azblob', 'http://127.0.0.1:1')), { code: 'EIO' })
})

test('an account that nobody named is asked for', async (t) => {
  environment(t, {})
  await t.rejects(openObjects(at('azblob')), { code: 'EACCES', message: /AZURE_STORAGE_CONNECTION_STRING/ })
  environment(t, { AZURE_STORAGE_KEY: 'c2VjcmV0' })
  await t.rejects(openObjects(at('azblob', 'http://127.0.0.1:1')), { code: 'EACCES', message: /AZURE_STORAGE_ACCOUNT/ })
})
