// Whether the uploads folder is there, can be written, and is a mount of its own rather than a container's own layer.
import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConfigError } from '../config.ts'

/**
 * True when `folder` is a mount point. By the kernel's mount table where there is one: a bind mount from the same file
 * system has the same device number as its parent.
 */
export async function isMount (folder: string, mountTable = '/proc/self/mountinfo'): Promise<boolean> {
  const path = await realpath(folder)
  const table = await readFile(mountTable, 'utf8').catch(() => undefined)
  if (table !== undefined) return mountPoints(table).includes(path)
  return path === dirname(path) || (await stat(path)).dev !== (await stat(dirname(path))).dev
}

/** Field 5 of proc(5)'s mountinfo, in which space, tab, newline and backslash are octal escapes. */
export function mountPoints (table: string): string[] {
  return table.split('\n').map((line) => (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))))
}

/** @throws ConfigError with what to mount. `warn` hears of a folder that is no mount where none is required. */
export async function checkMount ({ folder, name, isRequired, warn }: { folder: string, /** For people. */ name: string, isRequired: boolean, warn: (message: string) => void }): Promise<void> {
  if (await isMount(folder)) return
  if (isRequired) {
    throw new ConfigError(`${name} is not a mount of its own, so its files would be gone with the container. Mount a volume there (docker run -v uploads:${folder} …), or set REQUIRE_MOUNT=false if the folder is meant.`)
  }
  warn(`${folder} is an ordinary folder, not a mount of its own: fine for trying out; in a container mount a volume there and set REQUIRE_MOUNT=true.`)
}
