// What holds for a gateway on SQLite and a volume holds on every other home: the tests that ask one over HTTP, there.
import t from 'tap'
import { runOn } from '../homes/on.ts'
import { homes, testsOn } from '../homes/tests.ts'

for (const home of homes) {
  t.test(`the tests over HTTP pass on ${home}`, { timeout: 1_400_000 }, async (t) => {
    const { passed, failed, seconds, said } = await runOn(t, home, testsOn(home), { tell: (line) => t.comment(line) })
    t.comment(`${passed.length} files passed in ${seconds.toFixed(0)} s`)
    if (said !== '') t.comment(said)
    t.strictSame(failed, [])
    t.ok(passed.length > 0)
  })
}
