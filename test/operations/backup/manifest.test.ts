import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { changeLines, manifestLine, readManifest, writeManifest } from '../../../src/operations/backup/manifest.ts'
import { fileSystem as fs } from '../../../src/storage/fs.ts'
import { decodeSidecar, encodeSidecar, type Sidecar } from '../../../src/storage/sidecar.ts'
import { sidecarFor } from '../../storage/fixtures/volume.ts'

const sidecars = Array.from({ length: 1001 }, (_, index) => sidecarFor(`text ${index}`, { alt: 'two\nlines\u2028three\u2029four' }))

async function collected<T> (items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

async function written (folder: string): Promise<string> {
  const path = join(folder, 'manifest')
  await writeManifest(fs, path, async (put) => { for (const sidecar of sidecars) await put(manifestLine(sidecar)) })
  return path
}

t.test('each line is a sidecar that proves itself', async (t) => {
  const path = await written(t.testdir())
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
  t.same(lines.map(decodeSidecar), sidecars)
  t.notOk(/[\u2028\u2029]/.test(lines.join()), 'nor does any other tool see more lines')
  const groups = []
  for await (const group of readManifest(fs, path)) groups.push(group)
  t.same(groups.map((group) => group.length), [500, 500, 1])
  t.same(groups.flat(), sidecars)
})

t.test('lines are changed, or dropped, and what the dropped ones said is told', async (t) => {
  const path = await written(t.testdir())
  const [first, second, third, ...others] = sidecars
  const changed = (sidecar: Sidecar) => sidecar.id === third?.id ? { ...sidecar, readers: ['eve'] } : sidecar
  t.same(await changeLines(fs, path, (sidecar) => [first?.id, second?.id].includes(sidecar.id) ? undefined : changed(sidecar)), [first, second])
  const rest = [{ ...third, readers: ['eve'] }, ...others]
  const left = []
  for await (const group of readManifest(fs, path)) left.push(...group)
  t.same(left, rest)
})

t.test('what older versions wrote is read as well', async (t) => {
  const path = join(t.testdir(), 'manifest')
  await writeManifest(fs, path, (put) => put(sidecars.map((sidecar) => `${JSON.stringify(JSON.parse(encodeSidecar(sidecar)))}\n`).join('')))
  t.same((await collected(readManifest(fs, path))).flat(), sidecars)
})

t.test('where a line cannot be read none is dropped', async (t) => {
  const path = await written(t.testdir())
  await appendFile(path, 'half a li')
  const text = await readFile(path, 'utf8')
  await t.rejects(changeLines(fs, path, () => undefined), { name: 'Refusal', message: /does not prove itself, so nothing was taken out/ })
  t.equal(await readFile(path, 'utf8'), text)
})

t.test('an id or an extension that would lead elsewhere is none', async (t) => {
  const folder = t.testdir()
  const path = join(folder, 'manifest')
  const forged = [sidecarFor('x', { extension: '../x' }), { ...sidecarFor('x'), id: '../../etc/passwd' as never }]
  await writeManifest(fs, path, (put) => put(forged.map(manifestLine).join('')))
  for await (const group of readManifest(fs, path)) t.same(group, [undefined, undefined])
})

t.test('whoever stops reading leaves nothing open', async (t) => {
  const path = await written(t.testdir())
  const groups = readManifest(fs, path)
  t.equal((await groups.next()).value?.length, 500)
  await groups.return(undefined)
  t.equal((await groups.next()).done, true)
})
