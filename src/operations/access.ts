// Whether this user may open what a command needs. What may not be opened is neither missing nor damaged, and nothing is to be made anew.
import { errnoOf } from '../storage/failures.ts'
import type { FileSystem } from '../storage/fs.ts'
import { ObjectsRefused } from '../storage/objects/objects.ts'
import { Refusal } from './refusal.ts'

export const asGatewayUser = 'Run this as the user that runs the gateway.'

/** An object store that refuses says itself what to do. */
export const isDenied = (error: unknown): boolean => !(error instanceof ObjectsRefused) && (errnoOf(error) === 'EACCES' || errnoOf(error) === 'EPERM')

/** A sentence without its stop. */
export const deniedText = (path: string, error: unknown, verb = 'read'): string => `${path} may not be ${verb} by this user (${errnoOf(error) ?? ''})`

/** @throws Refusal when `error` is that this user may not read `path` */
export function refuseIfDenied (path: string, error: unknown): void {
  if (isDenied(error)) throw new Refusal(`${deniedText(path, error)}. ${asGatewayUser}`, { cause: error })
}

/**
 * A sentence without its stop; undefined when nothing keeps this user from it. SQLite writes beside what it reads.
 * Not for a database at work in this process: to close another handle of it drops the locks of SQLite.
 */
export async function denialAt (fs: FileSystem, path: string): Promise<string | undefined> {
  for (const [flags, verb] of [['r', 'read'], ['r+', 'written']] as const) {
    try {
      await (await fs.open(path, flags)).close()
    } catch (error) {
      // For a folder or nothing at all there are other sentences.
      return isDenied(error) ? deniedText(path, error, verb) : undefined
    }
  }
  return undefined
}

/** @throws Refusal when this user may not read and write the file at `path` */
export async function refuseDenied (fs: FileSystem, path: string): Promise<void> {
  const denial = await denialAt(fs, path)
  if (denial !== undefined) throw new Refusal(`${denial}. ${asGatewayUser}`)
}
