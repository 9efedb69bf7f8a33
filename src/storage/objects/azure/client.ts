// The connection to Azure Blob Storage: where it is, who we are, how long we wait. Nothing about blobs.
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import type { ObjectStoreAddress } from '../../../config.ts'
import { isHttpUrl } from '../http-url.ts'
import { ObjectsRefused } from '../objects.ts'
import { settingsOf, type Settings } from '../settings.ts'

/** For what is short, with all its attempts. */
export const shortMs = 15_000

/** The least that the service must take in a second. */
const slowestBytes = 256 * 1024

/** How long sending so many bytes may take, with all its attempts. */
export const sendingMs = (bytes: number): number => shortMs + Math.ceil(bytes / slowestBytes * 1000)

const options = { retryOptions: { maxTries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 } }

/** `settings`: what said which container, and where it is. */
export type Connection = { readonly service: BlobServiceClient, readonly settings: Settings }

/** @throws ObjectsRefused when the environment does not say which account, or how to get in */
export async function connect (address: ObjectStoreAddress): Promise<Connection> {
  const { AZURE_STORAGE_CONNECTION_STRING: connection = '', AZURE_STORAGE_ACCOUNT: account = '', AZURE_STORAGE_KEY: key = '' } = process.env
  const settings = settingsOf(address)
  if (connection !== '') return { service: connectBy(connection), settings: { ...settings, endpoint: 'AZURE_STORAGE_CONNECTION_STRING' } }
  if (address.endpoint !== undefined) return { service: await connectTo(address.endpoint, settings.endpoint, account, key), settings }
  if (account === '') {
    throw new ObjectsRefused(`Which Azure storage account holds the uploads is not known, nor how to get in: set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY; where the identity of this machine gets in, AZURE_STORAGE_ACCOUNT or ${settings.endpoint} is enough.`)
  }
  const url = `https://${account}.blob.core.windows.net`
  if (!isHttpUrl(url)) throw new ObjectsRefused(`AZURE_STORAGE_ACCOUNT must be the name of a storage account, of small letters and digits, not "${account}".`)
  return { service: await connectTo(url, 'AZURE_STORAGE_ACCOUNT', account, key), settings: { ...settings, endpoint: 'AZURE_STORAGE_ACCOUNT' } }
}

/** `setting`: what said the URL. */
async function connectTo (url: string, setting: string, account: string, key: string): Promise<BlobServiceClient> {
  if (key !== '' && account === '') throw new ObjectsRefused('AZURE_STORAGE_KEY is set, but not whose key it is: set AZURE_STORAGE_ACCOUNT.')
  if (key !== '') return new BlobServiceClient(url, new StorageSharedKeyCredential(account, key), options)
  if (new URL(url).protocol === 'http:') throw new ObjectsRefused(`${setting} ${url} is not https, and over http only a key gets in: set AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY, or AZURE_STORAGE_CONNECTION_STRING; or set ${setting} to an https URL, for the identity of this machine.`)
  return new BlobServiceClient(url, await ownIdentity(), options)
}

/** @throws ObjectsRefused, without a cause: an error of a URL quotes it, and a signature may be in it */
function connectBy (connection: string): BlobServiceClient {
  try {
    const service = BlobServiceClient.fromConnectionString(connection, options)
    if (isHttpUrl(service.url)) return service
  } catch {}
  throw new ObjectsRefused('AZURE_STORAGE_CONNECTION_STRING cannot be read. It must be as the storage account shows it: DefaultEndpointsProtocol=https;AccountName=NAME;AccountKey=KEY;EndpointSuffix=core.windows.net, or BlobEndpoint=https://HOST;SharedAccessSignature=SIGNATURE.')
}

/** The identity that the machine, the cluster or the environment gives us. */
async function ownIdentity () {
  const { DefaultAzureCredential } = await import('@azure/identity')
  return new DefaultAzureCredential()
}
