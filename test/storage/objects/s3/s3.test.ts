// What no real store does when it is asked to; all else is tested on one: test/system/objects-s3.test.ts.
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { createS3Objects } from '../../../../src/storage/objects/s3/s3.ts'
import { partBytes } from '../../../../src/storage/objects/part-memory.ts'
import { temporaryFolder } from '../../../helper.ts'

/** A store that does as `answer` says with each request, told by its method and query. */
async function storeThat (t: Test, answer: (asked: string, response: ServerResponse) => unknown, patience = {}) {
  const all: string[] = []
  const server = createServer(async (request, response) => {
    request.resume()
    await once(request, 'end')
    const asked = `${request.method}${request.url?.replace(/^[^?]*/, '')}`
    all.push(asked)
    await answer(asked, response)
    response.end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const before = { ...process.env }
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'secret' })
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const objects = createS3Objects({ kind: 's3', container: 'uploads', prefix: '', endpoint, isPathStyle: true }, patience)
  t.teardown(async () => {
    process.env = before
    await objects.close()
    server.closeAllConnections()
    server.close()
  })
  return { objects, asked: (pattern: RegExp) => all.filter((one) => pattern.test(one)).length }
}

test('a store may take longer to put parts together than it may be silent otherwise', async (t) => {
  const { objects, asked } = await storeThat(t, async (asked, response) => {
    if (asked.startsWith('HEAD')) response.statusCode = 404
    if (asked.startsWith('PUT')) response.setHeader('etag', '"part"')
    if (asked.startsWith('POST?uploads')) response.write('<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>')
    if (!asked.startsWith('POST?uploadId')) return
    await setTimeout(1000)
    response.write('<CompleteMultipartUploadResult></CompleteMultipartUploadResult>')
  }, { silenceMs: 400 })
  const source = { path: join(await temporaryFolder(t), 'file'), size: partBytes + 1 }
  await writeFile(source.path, Buffer.alloc(source.size))
  await objects.putFile('key', source)
  t.equal(asked(/^POST\?uploadId/), 1)
})

test('an unfinished upload that has ended meanwhile keeps none of the others from being ended; any other failure is told', async (t) => {
  const uploads = ['gone', 'there'].map((name) => `<Upload><Key>key</Key><UploadId>${name}</UploadId><Initiated>2026-11-01T00:00:00Z</Initiated></Upload>`)
  let status = 404
  const { objects, asked } = await storeThat(t, (asked, response) => {
    if (asked.startsWith('GET')) response.write(`<ListMultipartUploadsResult>${uploads.join('')}</ListMultipartUploadsResult>`)
    else response.statusCode = asked.includes('gone') ? status : 204
  })
  const before = new Date('2026-11-02T00:00:00Z')
  t.equal(await objects.sweepUnfinished(before), 1)
  t.equal(asked(/^DELETE/), 2)
  status = 403
  await t.rejects(objects.sweepUnfinished(before), { code: 'EACCES' })
})
