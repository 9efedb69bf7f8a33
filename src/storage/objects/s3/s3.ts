// An object store that speaks S3: one bucket, with every key below the prefix of the deployment.
import type { Readable } from 'node:stream'
import { AbortMultipartUploadCommand, DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, ListMultipartUploadsCommand, ListObjectsV2Command, type ListMultipartUploadsCommandOutput, type ListObjectsV2CommandOutput, type S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { ObjectStoreAddress } from '../../../config.ts'
import type { ByteRange } from '../../store.ts'
import { isOurs } from '../keys.ts'
import { ObjectsUnavailable, type Found, type Key, type Objects } from '../objects.ts'
import { steadyStream } from '../steady-stream.ts'
import { createClients, type Patience } from './client.ts'
import { createFailures, told } from './failures.ts'
import { createUploads } from './uploads.ts'

export function createS3Objects (address: ObjectStoreAddress, patience?: Patience): Objects {
  const { container: bucket, prefix, endpoint } = address
  const name = `s3://${bucket}/${prefix}${endpoint === undefined ? '' : ` at ${endpoint}`}`
  const clients = createClients(address, patience)
  const { calls, streams } = clients
  const failures = createFailures(address, name)
  const { telling } = failures
  const nameOf = (key: Key) => prefix + key
  const objectOf = (key: Key) => ({ Bucket: bucket, Key: nameOf(key) })

  const listed = ({ Contents = [] }: ListObjectsV2CommandOutput): Found[] =>
    Contents.map(({ Key = '', Size = 0, LastModified = new Date(0) }) => ({ key: Key.slice(prefix.length), size: Size, modifiedAt: LastModified }))

  async function * answers (below: string, delimiter: { Delimiter?: string }): AsyncGenerator<ListObjectsV2CommandOutput> {
    let token: string | undefined
    do {
      const next = token === undefined ? {} : { ContinuationToken: token }
      const answer = await telling(below, undefined, () => calls.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: nameOf(below), ...delimiter, ...next })))
      yield answer
      token = answer.IsTruncated === true ? answer.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  return {
    name,
    ...createUploads({ clients, bucket, nameOf, failures }),

    async check () {
      await telling('', undefined, () => calls.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 })))
    },

    async read (key, range) {
      const client = isOurs(key) ? calls : streams
      const get = { ...objectOf(key), ...(range === undefined ? {} : { Range: header(range) }) }
      const { Body, ContentLength, ETag } = await telling(key, undefined, () => client.send(new GetObjectCommand(get)))
      if (Body === undefined || ContentLength === undefined) throw new ObjectsUnavailable(`${name} did not say how long ${key} is`)
      const start = range?.start ?? 0
      return steadyStream({
        name: key,
        bytes: ContentLength,
        first: Body as Readable,
        reopen: (offset) => telling(key, undefined, () => rest(client, { ...objectOf(key), IfMatch: ETag, Range: header({ start: start + offset, end: start + ContentLength - 1 }) })),
      })
    },

    async head (key) {
      try {
        const { ContentLength = 0, LastModified = new Date(0) } = await calls.send(new HeadObjectCommand(objectOf(key)))
        return { key, size: ContentLength, modifiedAt: LastModified }
      } catch (error) {
        if (told(error).status === 404) return undefined
        throw failures.meaning(error, key)
      }
    },

    async * list (below) {
      for await (const answer of answers(below, {})) if (answer.Contents !== undefined) yield listed(answer)
    },

    async * level (below) {
      for await (const answer of answers(below, { Delimiter: '/' })) {
        yield { objects: listed(answer), prefixes: (answer.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix.slice(prefix.length)) }
      }
    },

    async remove (key) {
      await telling(key, undefined, () => calls.send(new DeleteObjectCommand(objectOf(key))))
    },

    sweepUnfinished: (before) => telling('', undefined, () => endUploads(calls, bucket, prefix, before)),

    presign: (key, seconds, { contentType, contentDisposition, cacheControl }) => telling(key, undefined, () =>
      getSignedUrl(calls, new GetObjectCommand({ ...objectOf(key), ResponseContentType: contentType, ResponseContentDisposition: contentDisposition, ResponseCacheControl: cacheControl }), { expiresIn: seconds })),

    async close () {
      for (const client of Object.values(clients)) client.destroy()
    },
  }
}

const header = ({ start, end }: ByteRange): string => `bytes=${start}-${end}`

async function rest (client: S3Client, get: { Bucket: string, Key: string, IfMatch: string | undefined, Range: string }): Promise<Readable> {
  const { Body } = await client.send(new GetObjectCommand(get))
  return Body as Readable
}

async function endUploads (client: S3Client, bucket: string, prefix: string, before: Date): Promise<number> {
  let ended = 0
  let page: ListMultipartUploadsCommandOutput | undefined
  do {
    const next = page === undefined ? {} : { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
    page = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...next }))
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Initiated === undefined || Initiated >= before) continue
      try {
        await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }))
        ended += 1
      } catch (error) {
        // It was completed or ended meanwhile.
        if (told(error).status !== 404) throw error
      }
    }
  } while (page.IsTruncated === true)
  return ended
}
