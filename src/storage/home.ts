// Where the uploads are, as the settings say: on a volume, or in an object store that looks like one; or, while they move, in two of them.
import { resolve } from 'node:path'
import { ConfigError, type Config, type HomeAddress } from '../config.ts'
import { createFallbackFileSystem } from './fallback/file-system.ts'
import { fileSystem, type FileSystem } from './fs.ts'
import { createObjectFileSystem } from './objects/file-system.ts'
import type { Objects } from './objects/objects.ts'
import { openObjects } from './objects/open.ts'
import { findOwnFiles } from './volume/own-files.ts'

export type HomeConfig = Pick<Config, 'uploadsDir' | 'databaseFile' | 'erasureLedger'> & Partial<Pick<Config, 'objectStore' | 'fallback' | 'jwtPublicKeyFile' | 'readThroughDirs'>>

export type Home = {
  readonly fs: FileSystem
  readonly objects: Objects | undefined
  close (): Promise<void>
}

/**
 * `fs`: of this machine; or, as in tests, one with a store behind it, which is home then, and stays open.
 * @throws ConfigError when the store is not there, or not open to us
 */
export async function openHome (config: HomeConfig, fs: FileSystem = fileSystem): Promise<Home> {
  const own = await openOwn(config, fs)
  if (config.fallback === undefined || fs.move !== undefined) return own
  try {
    return await withOther(own, config, config.fallback)
  } catch (error) {
    await own.close()
    throw error
  }
}

async function openOwn (config: HomeConfig, fs: FileSystem): Promise<Home> {
  if (fs.objects !== undefined || config.objectStore === undefined) return { fs, objects: fs.objects, close: async () => {} }
  return openHomeAt(config.objectStore, { config, setting: 'STORAGE_URL', fs })
}

async function withOther (own: Home, config: HomeConfig, address: HomeAddress): Promise<Home> {
  const other = await openHomeAt(address, { config, setting: 'STORAGE_FALLBACK_URL' })
  const root = resolve(config.uploadsDir)
  const real = await own.fs.realpath(root).catch(() => root)
  return {
    fs: createFallbackFileSystem({ own: own.fs, roots: [root, real], other: other.fs, otherRoot: other.root }),
    objects: own.objects,
    async close () {
      await other.close()
      await own.close()
    },
  }
}

type Opening = { readonly config: HomeConfig, /** What named it, for people. */ readonly setting: string, /** Of this machine. */ readonly fs?: FileSystem, readonly open?: typeof openObjects }

/** A home by its address, with the root that its paths begin with. @throws ConfigError when an object store is not there, or not open to us */
export async function openHomeAt (address: HomeAddress, { config, setting, fs = fileSystem, open = openObjects }: Opening): Promise<Home & { readonly root: string }> {
  if (address.kind === 'volume') return { fs: { ...fs, setting }, objects: undefined, root: address.folder, close: async () => {} }
  const objects = await open({ ...address, setting }).catch((error: unknown) => {
    throw new ConfigError(`${setting} cannot be used: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  })
  return { fs: { ...await objectHome({ config, objects, fs }), setting }, objects, root: config.uploadsDir, close: () => objects.close() }
}

/** The store as a volume at `config.uploadsDir`. */
export async function objectHome ({ config, objects, fs = fileSystem }: { config: HomeConfig, objects: Objects, fs?: FileSystem }): Promise<FileSystem> {
  const root = resolve(config.uploadsDir)
  const real = await fs.realpath(root).catch(() => root)
  return createObjectFileSystem({ objects, root, roots: [root, real], isOwn: await findOwnFiles(fs, { jwtPublicKeyFile: undefined, readThroughDirs: [], ...config, root }), local: fs })
}
