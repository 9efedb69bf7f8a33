import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { collect } from '../../fixtures/collect.ts'
import { idIn, memberOf, readLines, textOf } from '../../../src/operations/import/ndjson.ts'
import { temporaryFolder } from '../../helper.ts'

test('every line is told, with its number; what is no object is told as that', async (t) => {
  const file = join(await temporaryFolder(t), 'list')
  await writeFile(file, '\uFEFF{"a":1}\r\n\n[1]\nnull\n"x"\nno json\n {"b":"\\u2028"}')
  const lines = await collect(readLines(file))
  t.strictSame(lines.map(({ number, entry }) => [number, entry]), [[1, { a: 1 }], [3, undefined], [4, undefined], [5, undefined], [6, undefined], [7, { b: '\u2028' }]])
})

test('a file that cannot be read says so', async (t) => {
  const folder = await temporaryFolder(t)
  await t.rejects(collect(readLines(join(folder, 'none'))), { name: 'Refusal', message: /none cannot be read: .*one JSON object a line/ })
})

test('ids and members are found under the names and in the forms of exports', (t) => {
  t.strictSame([idIn('a'), idIn(7), idIn({ $oid: 'f' }), idIn(1.5), idIn({ $oid: 1 }), idIn(null), idIn(undefined)], ['a', '7', 'f', undefined, undefined, undefined, undefined])
  t.equal(memberOf({ id: null, _id: '', userId: 0 }, 'id', '_id', 'userId'), 0)
  t.equal(textOf({ a: 'x' }, 'a'), 'x')
  t.equal(textOf({ a: 1 }, 'a'), undefined)
  t.end()
})
