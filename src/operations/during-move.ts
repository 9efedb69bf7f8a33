// What must see all of a home waits until a deployment has moved: until then it is in two.
import type { FileSystem } from '../storage/fs.ts'
import { Refusal } from './refusal.ts'

/** `work`: the command. @throws Refusal */
export function refuseDuringMove ({ move }: Pick<FileSystem, 'move'>, work: string): void {
  if (move !== undefined) throw new Refusal(`${work} works on one home, and STORAGE_FALLBACK_URL names a second one that has a part of the uploads. Run "upload-gateway storage copy" until nothing is left, take that setting away, and run this again.`)
}
