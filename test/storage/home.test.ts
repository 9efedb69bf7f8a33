import { symlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test, type Test } from 'tap'
import { fileSystem } from '../../src/storage/fs.ts'
import { objectHome, openHome, openHomeAt } from '../../src/storage/home.ts'
import { temporaryFolder } from '../helper.ts'
import { createMemoryObjects } from './objects/memory.ts'

const address = (endpoint: string) => ({ kind: 's3', container: 'bucket', prefix: '', endpoint, isPathStyle: true }) as const

test('without STORAGE_URL the home is the volume', async (t) => {
  const home = await openHome({ uploadsDir: await temporaryFolder(t), databaseFile: '/db', erasureLedger: undefined })
  t.strictSame([home.fs, home.objects], [fileSystem, undefined])
  await home.close()
})

test('a file system with a store behind it is home, and stays open', async (t) => {
  const folder = await temporaryFolder(t)
  const objects = { ...createMemoryObjects(), close: async () => { t.fail() } }
  const fs = await objectHome({ config: { uploadsDir: folder, databaseFile: join(folder, 'gateway.sqlite'), erasureLedger: undefined }, objects })
  const home = await openHome({ uploadsDir: folder, databaseFile: '/db', erasureLedger: undefined, objectStore: address('http://127.0.0.1:1') }, fs)
  t.strictSame([home.fs, home.objects], [fs, objects])
  await home.close()
})

test('what settings put into the folder is no object, under whatever name of the folder', async (t) => {
  const base = await temporaryFolder(t)
  const [folder, link] = [join(base, 'uploads'), join(base, 'link')]
  await fileSystem.mkdir(folder)
  await symlink(folder, link)
  const objects = createMemoryObjects()
  const fs = await objectHome({ config: { uploadsDir: link, databaseFile: join(link, 'gateway.sqlite'), erasureLedger: undefined, jwtPublicKeyFile: join(link, 'key.pem'), readThroughDirs: [join(link, 'old')] }, objects })
  for (const name of ['gateway.sqlite', 'gateway.sqlite-wal', 'key.pem', 'jwt.secret']) {
    const handle = await fs.open(join(link, name), 'wx')
    await handle.close()
  }
  t.strictSame(objects.keys(), [])
  await (await fs.open(join(folder, 'upload-gateway.json'), 'wx')).close()
  t.strictSame(objects.keys(), ['upload-gateway.json'])
})

/** A store that gives the same answer to whatever it is asked. */
async function answering (t: Test, status: number, body: string): Promise<string> {
  const environment = { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x', AWS_REGION: 'us-east-1' }
  Object.assign(process.env, environment)
  const server = createServer((_request, answer) => { answer.writeHead(status, { 'content-type': 'application/xml' }).end(body) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const name of Object.keys(environment)) delete process.env[name]
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('with STORAGE_URL the home is the store, opened with it and closed with it', async (t) => {
  const objectStore = address(await answering(t, 200, '<ListBucketResult></ListBucketResult>'))
  const folder = await temporaryFolder(t)
  const { fs, objects, close } = await openHome({ uploadsDir: folder, databaseFile: '/db', erasureLedger: undefined, objectStore })
  t.match(objects, { name: /^s3:\/\/bucket/ })
  t.equal(fs.objects, objects)
  t.strictSame(await fs.readdir(join(folder, 'attachments')), [])
  await close()
})

test('a store that is not there, or not open to us, refuses the start', async (t) => {
  const objectStore = address(await answering(t, 404, '<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>'))
  await t.rejects(openHome({ uploadsDir: await temporaryFolder(t), databaseFile: '/db', erasureLedger: undefined, objectStore }), { name: 'ConfigError', message: /^STORAGE_URL cannot be used: .*bucket.*correct STORAGE_URL and STORAGE_ENDPOINT\.$/ })
})

test('the other home of a move is looked into where the own has nothing', async (t) => {
  const [folder, other] = [await temporaryFolder(t), await temporaryFolder(t)]
  const config = { uploadsDir: folder, databaseFile: '/db', erasureLedger: undefined }
  const heartbeat = 'staging/4a8c8a3e-53ba-4a35-8dcd-5bf1a1f7dd46/heartbeat.json'
  await fileSystem.mkdir(join(other, heartbeat, '..'), { recursive: true })
  await (await fileSystem.open(join(other, heartbeat), 'w')).close()
  const home = await openHome({ ...config, fallback: { kind: 'volume', folder: other } })
  t.match(home.fs.move, { own: fileSystem, other: fileSystem, root: other })
  t.equal(await home.fs.readFile(join(folder, heartbeat), 'utf8'), '')
  const again = await openHome({ ...config, fallback: { kind: 'volume', folder: other } }, home.fs)
  t.equal(again.fs, home.fs)
  await again.close()
  await home.close()
})

test('another home that is an object store is opened and closed with the own', async (t) => {
  const endpoint = await answering(t, 200, '<ListBucketResult></ListBucketResult>')
  const folder = await temporaryFolder(t)
  const home = await openHome({ uploadsDir: folder, databaseFile: '/db', erasureLedger: undefined, objectStore: address(endpoint), fallback: { ...address(endpoint), prefix: 'old/' } })
  t.match(home.objects, { name: /^s3:\/\/bucket\/ / })
  t.match(home.fs.move, { root: folder, other: { objects: { name: /^s3:\/\/bucket\/old/ } } })
  await home.close()
  const ill = await answering(t, 404, '<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>')
  await t.rejects(openHome({ uploadsDir: folder, databaseFile: '/db', erasureLedger: undefined, fallback: address(ill) }), { name: 'ConfigError', message: /^STORAGE_FALLBACK_URL cannot be used: .*bucket.*correct STORAGE_FALLBACK_URL and STORAGE_FALLBACK_ENDPOINT\.$/ })
})

test('a home that an option names is refused with that option', async (t) => {
  const config = { uploadsDir: await temporaryFolder(t), databaseFile: '/db', erasureLedger: undefined }
  const ill = await answering(t, 404, '<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>')
  await t.rejects(openHomeAt(address(ill), { config, setting: '--from' }), { name: 'ConfigError', message: /^--from cannot be used: There is no bucket bucket .*: make it, or correct --from and --from-endpoint\.$/ })
})
