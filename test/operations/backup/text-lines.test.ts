import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { textLines } from '../../../src/operations/backup/text-lines.ts'
import { fileSystem as fs } from '../../../src/storage/fs.ts'

async function collected<T> (items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

t.test('a line ends at a newline and nowhere else', async (t) => {
  const path = join(t.testdir(), 'file')
  const long = 'é'.repeat(100_001)
  for (const lines of [[], ['one'], ['a\u2028b', 'c\u2029d', 'e\u0085f\vg\rh', long, 'x', `y${long}`, 'z']]) {
    for (const end of ['', '\n', '\n\n\n']) {
      await writeFile(path, `\n${lines.join('\n\n')}${end}`)
      t.same(await collected(textLines(fs, path)), lines)
    }
  }
})

t.test('what is longer than any line of ours is cut', async (t) => {
  const path = join(t.testdir(), 'file')
  await writeFile(path, `${'x'.repeat(300_000)}\nnext\n${'y'.repeat(300_000)}`)
  t.same((await collected(textLines(fs, path, 100_000))).map((line) => line.length), [100_000, 4, 100_000])
})

t.test('a file that is not there is no empty one', async (t) => {
  await t.rejects(textLines(fs, '/nowhere/file').next(), { code: 'ENOENT' })
})

t.test('a pipe is not waited for', { skip: process.platform === 'win32' && 'there are no pipes' }, async (t) => {
  const path = join(t.testdir(), 'file')
  execFileSync('mkfifo', [path])
  await t.rejects(textLines(fs, path).next(), { message: /file is not an ordinary file/ })
})
