// The keys that a gateway made for itself, wherever it keeps them: part of a backup only when asked for, and then files.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { copySecrets, type Secrets } from '../../secrets.ts'
import { secretFiles } from '../../storage/secret-files.ts'
import { keysFolder } from './layout.ts'

const keysIn = (root: string): Secrets => secretFiles(join(root, keysFolder))

/** Copies those that are there. Returns their paths in the snapshot. */
export async function backUpKeys (secrets: Secrets, work: string): Promise<string[]> {
  await mkdir(join(work, keysFolder), { mode: 0o700 })
  return (await copySecrets(secrets, keysIn(work))).map((name) => `${keysFolder}/${name}`)
}

/** Brings those that the snapshot has to where the gateway keeps them; one that is there already stays. Returns their names. */
export const restoreKeys = (snapshotRoot: string, secrets: Secrets): Promise<string[]> => copySecrets(keysIn(snapshotRoot), secrets)
