import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import process from 'node:process'
import { test } from 'tap'
import { newBlobId } from '../../../src/storage/ids.ts'
import { toolsOn } from '../fixtures/tools.ts'
import { placeFor } from '../fixtures/place.ts'
import { folderFor } from '../../storage/fixtures/volume.ts'

test('what has a name of the gateway\'s comes first, then other strays, files alike, and backups', async (t) => {
  const place = await placeFor(t)
  const { root, attachment, blobPath } = place
  const lost = await attachment('hello')
  const from = await folderFor(t)
  const find = async (...strays: string[]) => toolsOn(place, { strays, from }).sources.find(lost)
  const own = blobPath(lost).slice(root.length + 1)
  t.equal(await find(own), undefined, 'its own name is none')
  await mkdir(dirname(join(from, own)), { recursive: true })
  await copyFile(blobPath(lost), join(from, own))
  t.match(await find(), { path: join(from, own), shown: join(from, own), isMovable: false })
  const twin = await attachment('hello')
  t.match(await find(), { path: blobPath(twin), shown: blobPath(twin).slice(root.length + 1), isMovable: false })
  await writeFile(join(root, 'notes'), 'hello')
  t.match(await find('notes'), { path: join(root, 'notes'), shown: 'notes', isMovable: false })
  const name = `${newBlobId()}.bin`
  await writeFile(join(root, name), 'hello')
  t.match(await find('notes', name), { path: join(root, name), isMovable: true })
})

test('files of another size, other bytes, and links are none', async (t) => {
  const place = await placeFor(t)
  const lost = await place.attachment('hello')
  await writeFile(join(place.root, 'long'), 'hello!')
  await writeFile(join(place.root, 'other'), 'hallo')
  await symlink(place.blobPath(lost), join(place.root, 'link'))
  const { sources } = toolsOn(place, { strays: ['long', 'other', 'link', 'gone'] })
  t.equal(await sources.find(lost), undefined)
  await writeFile(join(place.root, 'moved'), 'hello')
  sources.moved(join(place.root, 'gone'), join(place.root, 'moved'))
  t.match(await sources.find(lost), { path: join(place.root, 'moved') })
  sources.settled(join(place.root, 'moved'))
  t.equal(await sources.find(lost), undefined)
})

test('a backup named by a relative path is told by its whole one; and where bytes are nowhere, that a backup may have them', async (t) => {
  const place = await placeFor(t)
  const lost = await place.attachment('hello')
  const from = await folderFor(t)
  const copy = join(from, 'blobs', place.blobPath(lost).slice(place.root.length))
  await mkdir(dirname(copy), { recursive: true })
  await copyFile(place.blobPath(lost), copy)
  const { sources } = toolsOn(place, { from: relative(process.cwd(), from) })
  t.match(await sources.find(lost), { shown: copy })
  t.equal(sources.nowhere, `Its bytes were found nowhere, neither on the volume nor in ${from}.`)
  t.equal(toolsOn(place).sources.nowhere, 'Its bytes were found nowhere on the volume: name a backup with --from.')
})
