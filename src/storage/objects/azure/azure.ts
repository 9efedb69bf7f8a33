// An object store in Azure Blob Storage: one container, with every key below the prefix of the deployment, as block blobs.
import type { Readable } from 'node:stream'
import type { BlobItem } from '@azure/storage-blob'
import type { ObjectStoreAddress } from '../../../config.ts'
import { ObjectsUnavailable, type Found, type Key, type Objects } from '../objects.ts'
import { steadyStream } from '../steady-stream.ts'
import { connect, shortMs } from './client.ts'
import { createFailures, told, within } from './failures.ts'
import { createLinks } from './links.ts'
import { createUploads } from './uploads.ts'

/** @throws ObjectsRefused when the environment does not say which account, or how to get in */
export async function createAzureObjects (address: ObjectStoreAddress): Promise<Objects> {
  const { container: containerName, prefix } = address
  const { service, settings } = await connect(address)
  const container = service.getContainerClient(containerName)
  const name = `azblob://${containerName}/${prefix} at ${new URL(service.url).host}`
  const failures = createFailures(containerName, name, settings)
  const { telling } = failures
  const link = createLinks(service)
  const blobOf = (key: Key) => container.getBlockBlobClient(prefix + key)

  const listed = (items: readonly BlobItem[]): Found[] =>
    items.map(({ name, properties: { contentLength = 0, lastModified } }) => ({ key: name.slice(prefix.length), size: contentLength, modifiedAt: lastModified }))

  /** One page after another, each with a time of its own. */
  async function * pages<P extends { continuationToken?: string }> (below: string, ask: (token: string | undefined, abortSignal: AbortSignal) => AsyncIterableIterator<P>): AsyncGenerator<P> {
    let token: string | undefined
    do {
      const { value } = await telling(below, undefined, () => within(shortMs, undefined, (signal) => ask(token, signal).next())) as { value: P }
      yield value
      token = value.continuationToken
    } while (token !== undefined && token !== '')
  }

  async function open (key: Key, offset: number, count: number | undefined, ifMatch?: string) {
    // Taking up what was cut is for the steady stream, which also knows silence.
    const options = { maxRetryRequests: 0, ...(ifMatch === undefined ? {} : { conditions: { ifMatch } }) }
    const { readableStreamBody: body, contentLength, etag } = await telling(key, undefined, () => within(shortMs, undefined, (abortSignal) => blobOf(key).download(offset, count, { ...options, abortSignal })))
    if (body === undefined || contentLength === undefined || etag === undefined) throw new ObjectsUnavailable(`${name} did not say what ${key} is`)
    if (count !== undefined && contentLength === 0) {
      // A range has bytes: Azurite answers 206 where the service itself says 416.
      (body as Readable).destroy()
      throw new RangeError(`${key} is not that long`)
    }
    return { body: body as Readable, contentLength, etag }
  }

  return {
    name,
    ...createUploads({ blobOf, failures }),

    async check () {
      await telling('', undefined, () => within(shortMs, undefined, (abortSignal) => container.listBlobsFlat({ prefix, abortSignal }).byPage({ maxPageSize: 1 }).next()))
    },

    async read (key, range) {
      const start = range?.start ?? 0
      const { body, contentLength, etag } = await open(key, start, range === undefined ? undefined : range.end - start + 1)
      return steadyStream({
        name: key,
        bytes: contentLength,
        first: body,
        reopen: async (offset) => (await open(key, start + offset, contentLength - offset, etag)).body,
      })
    },

    async head (key) {
      try {
        const { contentLength = 0, lastModified = new Date(0) } = await within(shortMs, undefined, (abortSignal) => blobOf(key).getProperties({ abortSignal }))
        return { key, size: contentLength, modifiedAt: lastModified }
      } catch (error) {
        if (told(error).status === 404) return undefined
        throw failures.meaning(error, key)
      }
    },

    async * list (below) {
      for await (const { segment } of pages(below, (continuationToken, abortSignal) => container.listBlobsFlat({ prefix: prefix + below, abortSignal }).byPage(continuing(continuationToken)))) {
        yield listed(segment.blobItems)
      }
    },

    async * level (below) {
      for await (const { segment } of pages(below, (continuationToken, abortSignal) => container.listBlobsByHierarchy('/', { prefix: prefix + below, abortSignal }).byPage(continuing(continuationToken)))) {
        yield { objects: listed(segment.blobItems), prefixes: (segment.blobPrefixes ?? []).map(({ name }) => name.slice(prefix.length)) }
      }
    },

    async remove (key) {
      await telling(key, undefined, () => within(shortMs, undefined, (abortSignal) => blobOf(key).deleteIfExists({ abortSignal, deleteSnapshots: 'include' })))
    },

    /** Blocks that were never committed cannot be removed, and are no objects: the service drops them after a week. */
    async sweepUnfinished () { return 0 },

    presign: (key, seconds, headers) => telling(key, undefined, () => link(blobOf(key), seconds, headers)),

    /** Idle connections do not keep the process alive. */
    async close () {},
  }
}

const continuing = (continuationToken: string | undefined) => ({ maxPageSize: 1000, ...(continuationToken === undefined ? {} : { continuationToken }) })
