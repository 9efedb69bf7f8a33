// Whether an object store does its work: takes a small object, and gives it back.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { ConfigError } from '../../config.ts'
import { storing } from '../failures.ts'
import { stagingFolder } from '../volume/layout.ts'
import type { Key, Objects } from './objects.ts'
import { ObjectsFull } from './objects.ts'

/** Below staging, where it goes with whatever else of a process that died. */
export const probeKey = (instance: string): Key => join(stagingFolder, instance, 'probe')

async function writeAndRead (objects: Objects, key: Key): Promise<void> {
  const probe = randomUUID()
  await objects.putBytes(key, Buffer.from(probe))
  if (await text(await objects.read(key)) !== probe) throw new Error('The object store gave back other bytes than were put.')
}

/** @throws StorageUnavailable. A full store still serves what it has. */
export const checkObjects = (objects: Objects, key: Key): Promise<void> => storing(() => writeAndRead(objects, key).catch((error: unknown) => {
  if (!(error instanceof ObjectsFull)) throw error
}))

/** At a start. @throws ConfigError with what to do */
export async function requireWritable (objects: Objects): Promise<void> {
  const key = probeKey(randomUUID())
  try {
    await checkObjects(objects, key)
    await objects.remove(key)
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    throw new ConfigError(`The object store ${objects.name} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, { cause: error })
  }
}
