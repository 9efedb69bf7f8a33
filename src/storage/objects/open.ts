// Opens the object store an address names. Only the SDK of the store that is wanted is loaded.
import type { ObjectStoreAddress } from '../../config.ts'
import { isHttpUrl } from './http-url.ts'
import { ObjectsRefused, type Objects } from './objects.ts'
import { settingsOf } from './settings.ts'

/** @throws ObjectsRefused with what to do when the container is not there or not open to us, ObjectsUnavailable */
export async function openObjects (address: ObjectStoreAddress): Promise<Objects> {
  const objects = await create(address)
  try {
    await objects.check()
  } catch (error) {
    await objects.close()
    throw error
  }
  return objects
}

async function create (address: ObjectStoreAddress): Promise<Objects> {
  const { endpoint } = address
  if (endpoint !== undefined && !isHttpUrl(endpoint)) throw new ObjectsRefused(`${settingsOf(address).endpoint} must be an http or https URL, not "${endpoint}".`)
  if (address.kind === 's3') {
    const { createS3Objects } = await import('./s3/s3.ts')
    return createS3Objects(address)
  }
  const { createAzureObjects } = await import('./azure/azure.ts')
  return createAzureObjects(address)
}
