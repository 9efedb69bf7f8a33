import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { ConfigError } from '../../src/config.ts'
import { checkMount, isMount, mountPoints } from '../../src/storage/mount.ts'
import { folderFor } from './fixtures/volume.ts'

const skip = existsSync('/proc/self/mountinfo') ? false : 'there is no mount table here'

const escaped = (path: string) => path.replaceAll('\\', '\\134').replaceAll(' ', '\\040').replaceAll('\t', '\\011').replaceAll('\n', '\\012')
const line = (path: string) => `36 25 254:0 /volumes/data ${escaped(path)} rw,noatime master:1 - ext4 /dev/vda rw`

test('mount points are read from the table with their escapes', (t) => {
  const table = [line('/'), line('/data'), line('/with space'), line('/tab\tline\nback\\slash'), line('/größe'), ''].join('\n')
  t.strictSame(mountPoints(table).filter((path) => path !== ''), ['/', '/data', '/with space', '/tab\tline\nback\\slash', '/größe'])
  t.end()
})

test('a bind mount from the same device is a mount, by the table; the folder around it is not', async (t) => {
  const folder = await realpath(await folderFor(t))
  const mounted = join(folder, 'up loads')
  await mkdir(mounted)
  const table = join(folder, 'mountinfo')
  await writeFile(table, [line('/'), line(mounted)].join('\n'))
  t.equal(await isMount(mounted, table), true)
  t.equal(await isMount(folder, table), false)
  await symlink(mounted, join(folder, 'link'))
  t.equal(await isMount(join(folder, 'link'), table), true, 'also through a symbolic link')
})

test('without a table the device number decides', async (t) => {
  const folder = await folderFor(t)
  t.equal(await isMount(folder, '/nowhere/mountinfo'), false)
  t.equal(await isMount('/', '/nowhere/mountinfo'), true)
  if (existsSync('/proc/self')) t.equal(await isMount('/proc', '/nowhere/mountinfo'), true)
})

test('a folder that is no mount gets one warning, or is refused with what to mount', async (t) => {
  const folder = await folderFor(t)
  const warnings: string[] = []
  const warn = (message: string) => warnings.push(message)
  await checkMount({ folder, name: `UPLOADS_DIR ${folder}`, isRequired: false, warn })
  t.match(warnings, { length: 1, 0: new RegExp(`${folder} is an ordinary folder`) })
  await t.rejects(checkMount({ folder, name: `UPLOADS_DIR ${folder}`, isRequired: true, warn }), new ConfigError(`UPLOADS_DIR ${folder} is not a mount of its own, so its files would be gone with the container. Mount a volume there (docker run -v uploads:${folder} …), or set REQUIRE_MOUNT=false if the folder is meant.`))
  t.equal(warnings.length, 1)
})

test('a mount is taken without a word', { skip }, async (t) => {
  await checkMount({ folder: '/proc', name: 'UPLOADS_DIR /proc', isRequired: true, warn: (message) => t.fail(message) })
  t.equal(await isMount('/proc'), true)
})
