import { test } from 'tap'
import type { Problem } from '../../../src/operations/finding.ts'
import { mends, type Observed } from '../../../src/operations/verify/observed.ts'
import { relate } from '../../../src/operations/verify/relate.ts'

const finding = (problem: Problem, path: string, more: Partial<Observed> = {}): Observed => ({ problem, path, detail: 'It is so.', mend: mends[problem], ...more })

test('two blobs, or more, that have each other\'s bytes were swapped', (t) => {
  t.match(relate([
    finding('blob-corrupt', 'a', { expected: 'A', actual: 'B' }),
    finding('blob-size', 'b', { expected: 'B', actual: 'C' }),
    finding('blob-corrupt', 'c', { expected: 'C', actual: 'A' }),
    finding('blob-corrupt', 'd', { expected: 'D', actual: 'X' }),
    finding('blob-missing', 'e', { expected: 'E' }),
  ]), [
    { problem: 'blob-swapped', path: 'a', detail: 'The file has the bytes of b; its own are in c.', mend: mends['blob-swapped'] },
    { problem: 'blob-swapped', path: 'b', detail: 'The file has the bytes of c; its own are in a.' },
    { problem: 'blob-swapped', path: 'c' },
    { problem: 'blob-corrupt', path: 'd' },
    { problem: 'blob-missing', path: 'e' },
  ])
  t.end()
})

test('bytes of another that lost its own are no swap', (t) => {
  t.match(relate([finding('blob-corrupt', 'a', { expected: 'A', actual: 'B' }), finding('blob-missing', 'b', { expected: 'B' })]), [{ problem: 'blob-corrupt' }, { problem: 'blob-missing' }])
  t.end()
})

test('a missing file and one of its name in a wrong place are one finding', (t) => {
  const related = relate([finding('blob-missing', 'x/a.png'), finding('foreign', 'y/a.png'), finding('foreign', 'z/a.png'), finding('foreign', 'y/b.png'), finding('sidecar-missing', 'x/b.sidecar.json')])
  t.match(related.map(({ problem, path }) => `${problem} ${path}`), ['blob-missing x/a.png', 'foreign y/a.png', 'foreign y/b.png', 'sidecar-missing x/b.sidecar.json'])
  t.match(related[0], { detail: 'It is so. A file of its name is in another place: z/a.png.', mend: /puts it back/ })
  t.end()
})
