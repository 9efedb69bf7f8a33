// What an error of the S3 SDK means, wrapped once.
import type { ObjectStoreAddress } from '../../../config.ts'
import { ObjectMissing, ObjectsFull, ObjectsRefused, ObjectTaken } from '../objects.ts'
import { settingsOf, type Settings } from '../settings.ts'
import { createTelling } from '../telling.ts'
import { unavailable } from '../unavailable.ts'

type Refusal = (place: Place) => string

type Place = { readonly bucket: string, readonly name: string, readonly settings: Settings }

const credentials: Refusal = ({ name }) => `${name} does not accept the credentials: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the role of this machine.`
const region: Refusal = ({ bucket }) => `The bucket ${bucket} is in another region: set AWS_REGION to the one it is in.`

const refusals: Readonly<Record<string, Refusal>> = {
  NoSuchBucket: ({ bucket, name, settings }) => `There is no bucket ${bucket} (${name}): make it, or correct ${settings.url} and ${settings.endpoint}.`,
  AccessDenied: ({ bucket }) => `The credentials do not open the bucket ${bucket}: they need s3:ListBucket, s3:ListBucketMultipartUploads, s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload.`,
  AllAccessDisabled: ({ bucket }) => `The bucket ${bucket} is disabled.`,
  InvalidAccessKeyId: credentials,
  SignatureDoesNotMatch: credentials,
  ExpiredToken: credentials,
  InvalidToken: credentials,
  CredentialsProviderError: () => 'No credentials of the object store were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role.',
  RequestTimeTooSkewed: () => 'The clock of this machine differs from that of the object store: correct it.',
  PermanentRedirect: region,
  AuthorizationHeaderMalformed: region,
  'Region is missing': () => 'The region of the bucket is not known: set AWS_REGION.',
}

const fullNames = new Set(['QuotaExceeded', 'InsufficientStorage', 'InsufficientCapacity', 'XMinioStorageFull', 'EntityTooLarge'])

type Told = { readonly name: string, readonly status: number }

/** The name of what went wrong as the store says it, and the status of its answer: 0 without one. */
export function told (error: unknown): Told {
  if (!(error instanceof Error)) return { name: '', status: 0 }
  const { $metadata: metadata } = error as Error & { $metadata?: { httpStatusCode?: number } }
  return { name: error.message === 'Region is missing' ? error.message : error.name, status: metadata?.httpStatusCode ?? 0 }
}

/** Whether what was asked may have been done all the same. */
export function isUnknown (error: unknown): boolean {
  const { status } = told(error)
  return status === 0 || status >= 500 || told(error).name === 'NoSuchUpload'
}

export type Failures = ReturnType<typeof createFailures>

export function createFailures (address: ObjectStoreAddress, name: string) {
  const place: Place = { bucket: address.container, name, settings: settingsOf(address) }

  function meaning (error: unknown, key: string): Error {
    const { name: said, status } = told(error)
    const refusal = refusals[said]
    if (refusal !== undefined) return new ObjectsRefused(refusal(place), { cause: error })
    if (fullNames.has(said) || status === 507) return new ObjectsFull(`${name} takes no more bytes (${said})`, { cause: error })
    if (status === 416) return new RangeError(`${key} is not that long`, { cause: error })
    if (status === 404) return new ObjectMissing(key, { cause: error })
    if (status === 412 || status === 409) return new ObjectTaken(key, { cause: error })
    if (status === 401 || status === 403) return new ObjectsRefused((refusals['AccessDenied'] ?? credentials)(place), { cause: error })
    return unavailable(name, place.settings.endpoint, error)
  }

  return { meaning, telling: createTelling(meaning) }
}
