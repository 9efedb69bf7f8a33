// The object store in the place of a volume: there, open to this gateway, and quick enough.
import { randomUUID } from 'node:crypto'
import type { FileSystem } from '../../storage/fs.ts'
import { openHome, type Home, type HomeConfig } from '../../storage/home.ts'
import type { Objects } from '../../storage/objects/objects.ts'
import { checkObjects, probeKey } from '../../storage/objects/readiness.ts'
import { ok, problem, reasonOf, warning, type Seen } from './check.ts'

const rounds = 5

/** A small upload waits for two such objects. */
const slowMs = 500

/** Of a home that cannot be opened the reason. */
export async function homeToLookAt (config: HomeConfig, fs: FileSystem | undefined): Promise<Home | string> {
  return openHome(config, fs).catch(reasonOf)
}

export const unopened = (reason: string): Seen => problem(reason, 'Mend what the sentence says: the gateway does not start until then.')

/** Puts, reads and removes a few small objects. */
export async function lookAtStore (objects: Objects, monotonicMs: () => number): Promise<Seen> {
  const key = probeKey(randomUUID())
  const from = monotonicMs()
  try {
    for (let round = 0; round < rounds; round += 1) await checkObjects(objects, key)
    await objects.remove(key)
  } catch (error) {
    return problem(`The object store ${objects.name} does not do its work: ${reasonOf(error instanceof Error && error.cause !== undefined ? error.cause : error)}`, 'Mend what the sentence says: until then every upload is answered with 503.')
  }
  const ms = (monotonicMs() - from) / rounds
  const said = `The object store ${objects.name} takes a small object and gives it back in ${ms.toFixed(0)} ms.`
  return ms > slowMs ? warning(said, 'Use a store that is nearer to the gateway.') : ok(said)
}
