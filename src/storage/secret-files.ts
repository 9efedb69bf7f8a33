// The secrets of a gateway as files of one folder, each for its owner only, whole before anything is signed with it.
import { mkdir, open, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ConfigError } from '../config.ts'
import type { SecretKind, Secrets } from '../secrets.ts'
import { errnoOf } from './failures.ts'

const waitMs = 20
const attempts = 100

/** Processes that start at once agree, because only one can create a file and the others wait for it. The folder is made with the first. */
export function secretFiles (folder: string): Secrets {
  return {
    async get ({ name, make, isWhole, purpose, advice }) {
      const file = join(folder, name)
      try {
        return await created(folder, file, make) ?? await readWhole(file, isWhole)
      } catch (error) {
        if (error instanceof ConfigError) throw error
        const reason = error instanceof Error ? error.message : String(error)
        throw new ConfigError(`${purpose} cannot be kept: ${reason}. Make ${folder} writable${advice}.`, { cause: error })
      }
    },

    find: (name) => readFile(join(folder, name), 'utf8').then((text) => text.replace(/\n$/, ''), (error: unknown) => {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
      throw new ConfigError(`${join(folder, name)} cannot be read (${errnoOf(error) ?? String(error)}). Run this as the user that runs the gateway, and see that the disk is in order.`, { cause: error })
    }),

    keep: async (name, text) => await created(folder, join(folder, name), () => text) !== undefined,

    placeOf: (name) => join(folder, name),
  }
}

/** Undefined when there is one already. */
async function created (folder: string, file: string, make: SecretKind['make']): Promise<string | undefined> {
  await mkdir(folder, { recursive: true })
  const handle = await open(file, 'wx', 0o600).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error
  })
  if (handle === undefined) return undefined
  try {
    const secret = await make()
    await handle.writeFile(`${secret}\n`)
    await handle.sync()
    return secret
  } catch (error) {
    // Nothing was signed with it, and a half would refuse every later start.
    await unlink(file).catch(() => {})
    throw error
  } finally {
    await handle.close()
    await syncFolder(folder)
  }
}

// Nothing may be signed with a secret that a power cut could take back.
async function syncFolder (folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function readWhole (file: string, isWhole: SecretKind['isWhole']): Promise<string> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const text = await readFile(file, 'utf8')
    if (isWhole(text)) return text.trimEnd()
    await pause(waitMs)
  }
  throw new ConfigError(`${file} holds no whole secret; the process that made it may have been stopped halfway. Delete it, and a new one is made.`)
}
