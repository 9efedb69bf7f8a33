// Connections to an S3-compatible store: where it is, who we are, how long we wait. Nothing about objects.
import { S3Client, type PutObjectCommand, type S3ClientConfig, type UploadPartCommand } from '@aws-sdk/client-s3'
import type { ObjectStoreAddress } from '../../../config.ts'

/** For what is short: three times, with the pauses between them, is about a quarter of a minute. */
const shortMs = 5_000

/** The least that a store must take in a second. */
const slowestBytes = 256 * 1024

/** How long one attempt of sending so many bytes may take. */
export const sending = (bytes: number, signal: AbortSignal | undefined) => ({
  requestTimeout: shortMs + Math.ceil(bytes / slowestBytes * 1000),
  ...(signal === undefined ? {} : { abortSignal: signal }),
})

/** A command whose body has this sha-256: it is hashed where it is read, a piece at a time, and not once more by the SDK in one go. */
export function signed<C extends PutObjectCommand | UploadPartCommand> (command: C, sha256: string): C {
  // The stacks of both have the same methods, which TypeScript does not see in their union.
  const { middlewareStack } = command as PutObjectCommand
  middlewareStack.add((next) => (args) => {
    const { headers } = args.request as { headers: Record<string, string> }
    headers['x-amz-content-sha256'] = sha256
    return next(args)
  }, { step: 'build', name: 'knownSha256' })
  return command
}

const connectMs = 3_000

/** How long a store may say nothing, in milliseconds. */
export type Patience = {
  readonly silenceMs?: number
  /** While it puts parts together. */
  readonly completingMs?: number
}

export type Clients = {
  /** For everything that is over when it returns. */
  readonly calls: S3Client
  /** For streams, which last as long as their readers: they must not keep connections from the calls. */
  readonly streams: S3Client
  /** For completing uploads in parts: the silence of a connection is a setting of its client, and not of a command. */
  readonly completing: S3Client
}

export function createClients ({ endpoint, isPathStyle }: ObjectStoreAddress, { silenceMs = 10_000, completingMs = 60_000 }: Patience = {}): Clients {
  const calls = new S3Client({ ...shared(endpoint, isPathStyle), requestHandler: handler({ sockets: 64, answerMs: shortMs, silenceMs }) })
  const alike = { ...shared(endpoint, isPathStyle), credentials: calls.config.credentials }
  return {
    calls,
    streams: new S3Client({ ...alike, requestHandler: handler({ sockets: 512, answerMs: shortMs, silenceMs: 0 }) }),
    completing: new S3Client({ ...alike, requestHandler: handler({ sockets: 16, answerMs: completingMs, silenceMs: completingMs }) }),
  }
}

function shared (endpoint: string | undefined, isPathStyle: boolean): S3ClientConfig {
  return {
    // Stores that are not Amazon's mostly do not care, but a signature names a region.
    ...(endpoint === undefined ? {} : { endpoint, region: process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? 'us-east-1' }),
    forcePathStyle: isPathStyle,
    // The trailing checksums that are the default are not understood by many stores. What we send is covered by its signature.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // It would take a new connection for each large body.
    expectContinueHeader: false,
    maxAttempts: 3,
  }
}

function handler ({ sockets, answerMs, silenceMs }: { sockets: number, answerMs: number, silenceMs: number }): NonNullable<S3ClientConfig['requestHandler']> {
  const agent = { keepAlive: true, maxSockets: sockets }
  return { connectionTimeout: connectMs, requestTimeout: answerMs, throwOnRequestTimeout: true, socketTimeout: silenceMs, httpAgent: agent, httpsAgent: agent }
}
