// What named an object store, for people: a setting or an option of a command, and the one that says where it is.
import type { ObjectStoreAddress } from '../../config.ts'

export type Settings = { readonly url: string, readonly endpoint: string }

export function settingsOf ({ setting = 'STORAGE_URL' }: ObjectStoreAddress): Settings {
  return { url: setting, endpoint: setting.startsWith('--') ? `${setting}-endpoint` : setting.replace(/URL$/, 'ENDPOINT') }
}
