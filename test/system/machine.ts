// What system tests need of the machine: root, tools, mounts. What is missing fails a test with a sentence; what is mounted is unmounted with it.
import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, mkdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { temporaryFolder } from '../helper.ts'

/** Also where tools of the system are that only root uses. */
export const toolPath = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`

/** For the environment of gateways and commands: what those that stop leave here saves the next a third of its start. */
export const compiled = { NODE_COMPILE_CACHE: fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url)) }

const packages = {
  strace: 'strace', pg_ctlcluster: 'postgresql', setpriv: 'util-linux', curl: 'curl', exiftool: 'libimage-exiftool-perl', prlimit: 'util-linux', mount: 'mount', umount: 'mount', 'mkfs.ext4': 'e2fsprogs', 'mkfs.xfs': 'xfsprogs', xfs_io: 'xfsprogs', clamd: 'clamav-daemon', chromium: 'chromium', openssl: 'openssl',
  'ceph-mon': 'ceph-mon', 'ceph-osd': 'ceph-osd', ceph: 'ceph-common', radosgw: 'radosgw', 'radosgw-admin': 'ceph-common', nginx: 'nginx-light',
} as const

export type Tool = keyof typeof packages

/** @throws with what to install, or how to run the tests */
export async function needs (...tools: Tool[]): Promise<void> {
  const missing = []
  for (const tool of tools) if (!await isInstalled(tool)) missing.push(packages[tool])
  if (missing.length > 0) throw new Error(`This test needs ${tools.join(', ')}: apt-get install ${[...new Set(missing)].join(' ')}`)
  if (process.getuid?.() !== 0) throw new Error('This test needs root, to mount and to trace: sudo env "PATH=$PATH" npm run test:system')
}

async function isInstalled (tool: string): Promise<boolean> {
  const places = await Promise.allSettled(toolPath.split(':').map((folder) => access(join(folder, tool), constants.X_OK)))
  return places.some(({ status }) => status === 'fulfilled')
}

/** What the tool printed. @throws when it fails, with what it said */
export async function run (tool: Tool | 'cp' | 'find', ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(tool, args, { env: { PATH: toolPath }, maxBuffer: 64 * 1024 ** 2 })
  return stdout
}

/** Mounts until the test ends; a gateway started on it later is ended before. */
export async function mount (t: Test, folder: string, ...args: string[]): Promise<string> {
  await mkdir(folder, { recursive: true })
  await run('mount', ...args, folder)
  t.teardown(() => run('umount', folder).catch(() => run('umount', '--lazy', folder).catch(() => {})))
  return folder
}

export const tmpfs = async (t: Test, size: string): Promise<string> =>
  mount(t, join(await temporaryFolder(t), 'uploads'), '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs')

export type Disk = { readonly folder: string, readonly image: string }

/** A file system of its own in a file, mounted. */
export async function disk (t: Test, type: 'ext4' | 'xfs', { megabytes = 512, mkfs = [] as string[], options = 'defaults' } = {}): Promise<Disk> {
  const home = await temporaryFolder(t)
  const image = join(home, 'disk')
  await writeFile(image, '')
  await truncate(image, megabytes * 1024 ** 2)
  await run(`mkfs.${type}`, '-q', ...mkfs, image)
  return { image, folder: await mount(t, join(home, 'uploads'), '-o', `loop,${options}`, image) }
}

/** Waits until `check` holds. @throws when it does not within `ms` */
export async function until (what: string, check: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  const deadline = Date.now() + ms
  while (!await check()) {
    if (Date.now() > deadline) throw new Error(`It did not come within ${ms} ms that ${what}.`)
    await pause(50)
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A copy as an operator makes it who knows no better: tar, whatever goes on. That files change meanwhile is no failure (exit 1). */
export async function tar (from: string, to: string): Promise<void> {
  await promisify(execFile)('sh', ['-c', 'tar -C "$1" -cf - . | tar -C "$2" -xf -', 'sh', from, to], { env: { PATH: toolPath } })
}
