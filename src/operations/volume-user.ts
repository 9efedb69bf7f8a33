// As whom a command may work on a volume: what root makes there, a gateway of another user could neither read nor remove.
import { join } from 'node:path'
import { getuid } from 'node:process'
import type { FileSystem } from '../storage/fs.ts'
import { identityFile } from '../storage/volume/layout.ts'
import { Refusal } from './refusal.ts'

/** `uid`: who this is; undefined where there are no such ids. @throws Refusal */
export async function refuseForeignRoot (fs: FileSystem, root: string, uid = getuid?.()): Promise<void> {
  if (uid !== 0) return
  const owner = await fs.stat(join(root, identityFile)).catch(() => fs.stat(root)).catch(() => undefined)
  if (owner === undefined || owner.uid === 0) return
  throw new Refusal(`The volume ${root} belongs to the user ${owner.uid}, and files that root makes on it the gateway could not read. Run this as that user: sudo -u '#${owner.uid}' -g '#${owner.gid}' …, in a container without --user.`)
}
