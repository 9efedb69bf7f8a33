import { test } from 'tap'
import { bytesInMemory } from '../../../../src/images/metadata/bytes.ts'
import { createBoxReader } from '../../../../src/images/metadata/isobmff/boxes.ts'
import { readGrouped, readReferences } from '../../../../src/images/metadata/isobmff/references.ts'
import { box, fullBox, number } from './parts.ts'

const unreadable = { code: 'METADATA_UNREADABLE' }

function opened (...boxes: Buffer[]) {
  const file = Buffer.concat(boxes)
  const reader = createBoxReader(bytesInMemory(file))
  return { reader, children: [...reader.boxesIn(0, file.length)] }
}
const references = (...boxes: Buffer[]) => { const { reader, children } = opened(...boxes); return readReferences(reader, children) }
const grouped = (...boxes: Buffer[]) => { const { reader, children } = opened(...boxes); return [...readGrouped(reader, children)] }

test('references of both versions are read, and padding is passed over', (t) => {
  t.same(references(), [])
  const thmb = box('thmb', number(2, 2, 1, 1))
  t.match(references(fullBox('iref', 0, thmb, box('free'), box('skip', 'x'), box('dimg', number(2, 1, 2, 3, 4)))), [
    { type: 'thmb', from: 2, to: [1], box: { start: 12 } }, { type: 'dimg', from: 1, to: [3, 4] },
  ])
  t.match(references(fullBox('iref', 1, box('cdsc', number(4, 70_000), number(2, 1), number(4, 80_000)))), [{ from: 70_000, to: [80_000] }])
  t.throws(() => references(fullBox('iref', 0, box('thmb', number(2, 2, 2, 1)))), unreadable)
  t.throws(() => references(fullBox('iref', 0), fullBox('iref', 0)), unreadable)
  t.end()
})

test('what is in a group is known', (t) => {
  t.same(grouped(), [])
  t.same(grouped(box('grpl', fullBox('altr', 0, number(4, 9, 2, 3, 4)), box('free'), fullBox('ster', 0, number(4, 10, 1, 70_000)))), [3, 4, 70_000])
  t.throws(() => grouped(box('grpl', fullBox('altr', 0, number(4, 9, 2, 3)))), unreadable)
  t.end()
})
