// The connection to Azure Blob Storage: where it is, who we are, how long we wait. Nothing about blobs.
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import type { ObjectStoreAddress } from '../../../config.ts'
import { ObjectsRefused } from '../objects.ts'

/** For what is short, with all its attempts. */
export const shortMs = 15_000

/** The least that the service must take in a second. */
const slowestBytes = 256 * 1024

/** How long sending so many bytes may take, with all its attempts. */
export const sendingMs = (bytes: number): number => shortMs + Math.ceil(bytes / slowestBytes * 1000)

const options = { retryOptions: { maxTries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 } }

/** @throws ObjectsRefused when the environment does not say which account */
export async function connect ({ endpoint }: ObjectStoreAddress): Promise<BlobServiceClient> {
  const { AZURE_STORAGE_CONNECTION_STRING: connection = '', AZURE_STORAGE_ACCOUNT: account = '', AZURE_STORAGE_KEY: key = '' } = process.env
  if (connection !== '') return BlobServiceClient.fromConnectionString(connection, options)
  if (endpoint === undefined && account === '') {
    throw new ObjectsRefused('Which Azure storage account holds the uploads is not known: set AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_ACCOUNT or STORAGE_ENDPOINT.')
  }
  const url = endpoint ?? `https://${account}.blob.core.windows.net`
  if (key === '') return new BlobServiceClient(url, await ownIdentity(), options)
  if (account === '') throw new ObjectsRefused('AZURE_STORAGE_KEY is set, but not whose key it is: set AZURE_STORAGE_ACCOUNT.')
  return new BlobServiceClient(url, new StorageSharedKeyCredential(account, key), options)
}

/** The identity that the machine, the cluster or the environment gives us. */
async function ownIdentity () {
  const { DefaultAzureCredential } = await import('@azure/identity')
  return new DefaultAzureCredential()
}
