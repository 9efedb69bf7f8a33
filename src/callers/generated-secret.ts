// The secret of a gateway that was given none: created once, kept in a file, the same for all who ask.
import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ConfigError } from '../config.ts'

/** The line end says that the secret is whole. */
const whole = /^\S{43,}\n$/

const waitMs = 20
const attempts = 100

/**
 * Reads the secret in `file`, creating it with its folder when absent: 48 random bytes in base64url, mode 0600.
 * Processes that start at once agree, because only one can create the file and the others wait for it.
 * @throws ConfigError when the file cannot be used.
 */
export async function generatedSecret (file: string): Promise<string> {
  try {
    return await created(file) ?? await readWhole(file)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new ConfigError(`The secret that tokens are signed with cannot be kept: ${reason}. Make ${dirname(file)} writable, or set JWT_SECRET.`, { cause: error })
  }
}

/** Undefined when another process was first. */
async function created (file: string): Promise<string | undefined> {
  await mkdir(dirname(file), { recursive: true })
  const handle = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  if (handle === undefined) return undefined
  const secret = randomBytes(48).toString('base64url')
  try {
    await handle.writeFile(`${secret}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await syncFolder(dirname(file))
  return secret
}

// No token may be signed with a secret that a power cut could take back.
async function syncFolder (folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function readWhole (file: string): Promise<string> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const text = await readFile(file, 'utf8')
    if (whole.test(text)) return text.trimEnd()
    await pause(waitMs)
  }
  throw new ConfigError(`${file} holds no whole secret; the process that made it may have been stopped halfway. Delete it, and a new one is made.`)
}
