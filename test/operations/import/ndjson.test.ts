import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { collect } from '../../fixtures/collect.ts'
import { idIn, memberOf, readLines, textOf } from '../../../src/operations/import/ndjson.ts'
import { temporaryFolder } from '../../helper.ts'

test('every line is told, with its number; what is no object is told as that', async (t) => {
  const file = join(await temporaryFolder(t), 'list')
  await writeFile(file, '\uFEFF{"a":1}\r\n\n[1]\nnull\n"x"\nno json\n {"b":"\\u2028"}\n{"c":"\u2028 \u2029 \u0085"}')
  const lines = await collect(readLines(file, '--users'))
  t.strictSame(lines.map(({ number, entry }) => [number, entry]), [[1, { a: 1 }], [3, undefined], [4, undefined], [5, undefined], [6, undefined], [7, { b: '\u2028' }], [8, { c: '\u2028 \u2029 \u0085' }]])
})

test('a file that cannot be read says so', async (t) => {
  const folder = await temporaryFolder(t)
  const refused = (path: string, said: string) => t.rejects(collect(readLines(path, '--users')), { name: 'Refusal', message: `--users ${path}: ${said}. Give a file with one JSON object a line.` })
  await refused(join(folder, 'none'), 'there is no such file')
  await refused(folder, 'it is no ordinary file')
  await refused('x'.repeat(300), 'it cannot be read (ENAMETOOLONG)')
  await refused('no\0path', 'it cannot be read (ERR_INVALID_ARG_VALUE)')
})

test('ids and members are found under the names and in the forms of exports', (t) => {
  t.strictSame([idIn('a'), idIn(7), idIn({ $oid: 'f' }), idIn(1.5), idIn({ $oid: 1 }), idIn(null), idIn(undefined)], ['a', '7', 'f', undefined, undefined, undefined, undefined])
  t.equal(memberOf({ id: null, _id: '', userId: 0 }, 'id', '_id', 'userId'), 0)
  t.equal(textOf({ a: 'x' }, 'a'), 'x')
  t.equal(textOf({ a: 1 }, 'a'), undefined)
  t.end()
})
