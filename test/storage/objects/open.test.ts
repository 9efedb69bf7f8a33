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

const at = (kind: 's3' | 'azblob', endpoint?: string, setting?: string): ObjectStoreAddress => ({ kind, container: 'uploads', prefix: 'here/', endpoint, isPathStyle: true, ...(setting !== undefined && { setting }) })

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
  await t.rejects(openObjects(at('s3', await answering(t, 404, '<Error><Code>NoSuchBucket</Code></Error>'))), { code: 'EACCES', message: /no bucket uploads.*make it, or correct STORAGE_URL and STORAGE_ENDPOINT\.$/ })
  await t.rejects(openObjects(at('azblob', await answering(t, 404, '<Error><Code>ContainerNotFound</Code></Error>', { 'x-ms-error-code': 'ContainerNotFound' }))), { code: 'EACCES', message: /no container uploads.*make it, or correct STORAGE_URL and STORAGE_ENDPOINT\.$/ })
})

test('where a command names the store, its options are what to correct', async (t) => {
  environment(t, { ...aws, ...azure })
  const [bucket, container] = [await answering(t, 404, '<Error><Code>NoSuchBucket</Code></Error>'), await answering(t, 404, '<Error><Code>ContainerNotFound</Code></Error>', { 'x-ms-error-code': 'ContainerNotFound' })]
  await t.rejects(openObjects(at('s3', bucket, '--from')), { message: /make it, or correct --from and --from-endpoint\.$/ })
  await t.rejects(openObjects(at('azblob', container, '--to')), { message: /make it, or correct --to and --to-endpoint\.$/ })
  await t.rejects(openObjects(at('azblob', 'http://127.0.0.1:1', '--to')), { message: /that --to-endpoint says where it is$/ })
  environment(t, { AZURE_STORAGE_CONNECTION_STRING: `BlobEndpoint=${container};SharedAccessSignature=sv=1` })
  await t.rejects(openObjects(at('azblob', undefined, '--to')), { message: /make it, or correct --to and AZURE_STORAGE_CONNECTION_STRING\.$/ })
  environment(t, {})
  await t.rejects(openObjects(at('azblob', undefined, '--from')), { message: /AZURE_STORAGE_ACCOUNT or --from-endpoint is enough\.$/ })
})

test('a store that does not let us in is an error that says what to do', async (t) => {
  environment(t, { ...aws, ...azure })
  await t.rejects(openObjects(at('s3', await answering(t, 403, '<Error><Code>AccessDenied</Code></Error>'))), { code: 'EACCES', message: /s3:ListBucket/ })
  await t.rejects(openObjects(at('s3', await answering(t, 403, '<Error><Code>InvalidAccessKeyId</Code></Error>'))), { code: 'EACCES', message: /AWS_ACCESS_KEY_ID/ })
  await t.rejects(openObjects(at('azblob', await answering(t, 403, '<Error><Code>AuthenticationFailed</Code></Error>'))), { code: 'EACCES', message: /Storage Blob Data Contributor/ })
})

test('a store that cannot be reached is not there now, and its error says where it was looked for', async (t) => {
  environment(t, { ...aws, ...azure })
  await t.rejects(openObjects(at('s3', 'http://127.0.0.1:1')), { code: 'EIO', message: 's3://uploads/here/ at http://127.0.0.1:1 cannot be reached (connect ECONNREFUSED 127.0.0.1:1): see that it runs and is reachable from here, and that STORAGE_ENDPOINT says where it is' })
  await t.rejects(openObjects(at('azblob', 'http://127.0.0.1:1')), { code: 'EIO', message: 'azblob://uploads/here/ at 127.0.0.1:1 cannot be reached (connect ECONNREFUSED 127.0.0.1:1): see that it runs and is reachable from here, and that STORAGE_ENDPOINT says where it is' })
  environment(t, { AZURE_STORAGE_CONNECTION_STRING: 'BlobEndpoint=http://127.0.0.1:1;SharedAccessSignature=sv=1' })
  await t.rejects(openObjects(at('azblob')), { code: 'EIO', message: /at 127\.0\.0\.1:1 cannot be reached .* AZURE_STORAGE_CONNECTION_STRING says where it is$/ })
})

test('an endpoint that is no http URL is refused by the name of its setting', async (t) => {
  environment(t, { ...aws, ...azure })
  for (const kind of ['s3', 'azblob'] as const) {
    for (const endpoint of ['http://:x', 'localhost:9000']) await t.rejects(openObjects(at(kind, endpoint)), { code: 'EACCES', message: `STORAGE_ENDPOINT must be an http or https URL, not "${endpoint}".` })
    await t.rejects(openObjects(at(kind, 'ftp://store', 'STORAGE_FALLBACK_URL')), { message: /^STORAGE_FALLBACK_ENDPOINT must be/ })
  }
})

test('a connection string of Azure that cannot be read is told by its setting and its form, and not repeated', async (t) => {
  for (const connection of ['secret', 'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=secret', 'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=secret;BlobEndpoint=here', 'BlobEndpoint=localhost:1;SharedAccessSignature=secret']) {
    environment(t, { AZURE_STORAGE_CONNECTION_STRING: connection })
    const error = await openObjects(at('azblob')).catch((error: unknown) => error)
    t.match(error, { code: 'EACCES', message: /^AZURE_STORAGE_CONNECTION_STRING cannot be read\. It must be .*DefaultEndpointsProtocol=https;AccountName=NAME;AccountKey=KEY;EndpointSuffix=core\.windows\.net/, cause: undefined }, connection)
    t.notMatch((error as Error).message, /secret/)
  }
})

test('the identity of a machine needs https', async (t) => {
  environment(t, {})
  await t.rejects(openObjects(at('azblob', 'http://127.0.0.1:1/account')), { code: 'EACCES', message: /^STORAGE_ENDPOINT http:\/\/127\.0\.0\.1:1\/account is not https.*: set AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY, or AZURE_STORAGE_CONNECTION_STRING; or set STORAGE_ENDPOINT to an https URL/ })
})

test('an account that nobody named is asked for', async (t) => {
  environment(t, {})
  await t.rejects(openObjects(at('azblob')), { code: 'EACCES', message: /^Which Azure storage account.*: set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY; .*AZURE_STORAGE_ACCOUNT or STORAGE_ENDPOINT is enough\.$/ })
  environment(t, { AZURE_STORAGE_KEY: 'c2VjcmV0' })
  await t.rejects(openObjects(at('azblob', 'http://127.0.0.1:1')), { code: 'EACCES', message: /AZURE_STORAGE_ACCOUNT/ })
  environment(t, { AZURE_STORAGE_ACCOUNT: 'an account', AZURE_STORAGE_KEY: 'c2VjcmV0' })
  await t.rejects(openObjects(at('azblob')), { code: 'EACCES', message: /^AZURE_STORAGE_ACCOUNT must be the name of a storage account.* not "an account"\.$/ })
})
