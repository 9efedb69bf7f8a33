// What uploads to object stores take of memory, however large and however many they are. OBJECT_MEMORY_MEBIBYTES: of each file; 1024 needs 25 GB of disk.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import type { ObjectStoreAddress } from '../../src/config.ts'
import { createAzureObjects } from '../../src/storage/objects/azure/azure.ts'
import type { Objects } from '../../src/storage/objects/objects.ts'
import { createS3Objects } from '../../src/storage/objects/s3/s3.ts'
import { temporaryFolder } from '../helper.ts'
import { azurite } from './fixtures/azurite.ts'
import { ceph } from './fixtures/ceph.ts'
import { watchRss } from './process.ts'

const mebibyte = 1024 ** 2
const fileBytes = Number(process.env['OBJECT_MEMORY_MEBIBYTES'] ?? 64) * mebibyte
const files = 20
const mostBytes = 250 * mebibyte

async function staysSmall (t: Test, address: ObjectStoreAddress, objects: Objects): Promise<void> {
  const path = join(await temporaryFolder(t), 'source')
  await writeFile(path, '')
  await truncate(path, fileBytes)
  const uploading = spawn(process.execPath, [join(import.meta.dirname, 'fixtures/uploading.ts'), JSON.stringify(address), path, String(fileBytes), String(files)], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => uploading.kill('SIGKILL'))
  const ended = once(uploading, 'exit')
  await once(uploading.stdout, 'data')
  const pid = uploading.pid ?? 0
  const idle = watchRss(pid)()
  const most = watchRss(pid)
  uploading.stdin.write('go\n')
  const [said] = await once(uploading.stdout, 'data')
  const above = most() - idle
  t.comment(`idle ${Math.round(idle / mebibyte)} MiB, at most ${Math.round(above / mebibyte)} MiB more; ${files} files of ${fileBytes / mebibyte} MiB ${String(said).trim()}`)
  t.ok(above < mostBytes, `${Math.round(above / mebibyte)} MiB above idle`)
  t.strictSame(await ended, [0, null])
  for (let index = 0; index < files; index += 1) t.equal((await objects.head(`files/${index}`))?.size, fileBytes)
  await objects.close()
}

test(`${files} large files at once to S3 take little memory`, async (t) => {
  const store = await ceph(t, { store: 'bluestore' })
  Object.assign(process.env, store.environment)
  await store.makeBucket('uploads')
  const address = { kind: 's3', container: 'uploads', prefix: 'memory/', endpoint: store.endpoint, isPathStyle: true } as const
  await staysSmall(t, address, createS3Objects(address))
})

test(`${files} large files at once to Azure take little memory`, async (t) => {
  const store = await azurite(t)
  Object.assign(process.env, store.environment)
  await store.makeContainer('uploads')
  const address = { kind: 'azblob', container: 'uploads', prefix: 'memory/', endpoint: store.endpoint, isPathStyle: false } as const
  await staysSmall(t, address, await createAzureObjects(address))
})
