// A secret that a gateway makes for itself: created once, kept in a file for its owner only, the same for all who ask.
import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ConfigError } from '../config.ts'

const waitMs = 20
const attempts = 100

export type SecretFile = {
  readonly file: string
  /** One line, without its end. */
  readonly make: () => string | Promise<string>
  /** Whether this text of the file, with the line end that says that it was written to the end, is such a secret. */
  readonly isWhole: (text: string) => boolean
  /** The beginning of the sentence that says that it cannot be kept, and, for its end, what to do besides. */
  readonly purpose: string
  readonly advice: string
}

/**
 * Reads the secret in the file, creating it with its folder when absent, mode 0600. Processes that start at once agree, because only
 * one can create the file and the others wait for it.
 * @throws ConfigError when the file cannot be used.
 */
export async function secretFile (secret: SecretFile): Promise<string> {
  const { file, purpose, advice } = secret
  try {
    return await created(secret) ?? await readWhole(secret)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new ConfigError(`${purpose} cannot be kept: ${reason}. Make ${dirname(file)} writable${advice}.`, { cause: error })
  }
}

/** Undefined when another process was first. */
async function created ({ file, make }: SecretFile): Promise<string | undefined> {
  await mkdir(dirname(file), { recursive: true })
  const handle = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  if (handle === undefined) return undefined
  try {
    const secret = await make()
    await handle.writeFile(`${secret}\n`)
    await handle.sync()
    return secret
  } finally {
    await handle.close()
    await syncFolder(dirname(file))
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

async function readWhole ({ file, isWhole }: SecretFile): Promise<string> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const text = await readFile(file, 'utf8')
    if (isWhole(text)) return text.trimEnd()
    await pause(waitMs)
  }
  throw new ConfigError(`${file} holds no whole secret; the process that made it may have been stopped halfway. Delete it, and a new one is made.`)
}
