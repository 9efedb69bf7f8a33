// URLs that open a blob for a while: signed with the key of the account, or with one that the service gives to our identity.
import { BlobSASPermissions, StorageSharedKeyCredential, type BlobServiceClient, type BlockBlobClient, type UserDelegationKey } from '@azure/storage-blob'
import type { PresignedHeaders } from '../objects.ts'
import { shortMs } from './client.ts'
import { within } from './failures.ts'

/** Our clock and that of the service may differ. */
const skewMs = 5 * 60_000

/** How long a key of our identity is asked for; at most seven days are given. */
const keyMs = 6 * 3_600_000

export function createLinks (service: BlobServiceClient) {
  let key: Promise<UserDelegationKey> | undefined
  let keyUntilMs = 0

  function identityKey (untilMs: number): Promise<UserDelegationKey> {
    if (key === undefined || keyUntilMs < untilMs) {
      const now = Date.now()
      keyUntilMs = Math.max(now + keyMs, untilMs)
      const asked = within(shortMs, undefined, (abortSignal) => service.getUserDelegationKey(new Date(now - skewMs), new Date(keyUntilMs), { abortSignal }))
      asked.catch(() => { if (key === asked) key = undefined })
      key = asked
    }
    return key
  }

  return async function link (blob: BlockBlobClient, seconds: number, headers: PresignedHeaders): Promise<string> {
    const expiresOn = new Date(Date.now() + seconds * 1000)
    const wanted = { ...headers, expiresOn, permissions: BlobSASPermissions.from({ read: true }) }
    if (service.credential instanceof StorageSharedKeyCredential) return await blob.generateSasUrl(wanted)
    return await blob.generateUserDelegationSasUrl(wanted, await identityKey(expiresOn.getTime()))
  }
}
