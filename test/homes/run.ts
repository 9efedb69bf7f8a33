// The tests that ask a gateway over HTTP, by hand, on other homes than SQLite and a volume:
//   npm run test:homes -- [postgresql|s3|azure [test files]]
import process from 'node:process'
import type { Test } from 'tap'
import { runOn } from './on.ts'
import { homes, isHome, testsOn } from './tests.ts'

const [name, ...named] = process.argv.slice(2)
if (name !== undefined && !isHome(name)) throw new Error(`There is no home ${name}, but ${homes.join(', ')}.`)

for (const home of name === undefined ? homes : [name]) {
  const endings: (() => unknown)[] = []
  const t = { teardown: (end: () => unknown) => { endings.unshift(end) } } as Test
  try {
    const { passed, failed, seconds, said } = await runOn(t, home, named.length > 0 ? named : testsOn(home), { tell: (line) => process.stdout.write(`${line}\n`) })
    process.stdout.write(`${said}\n${home}: ${passed.length} files passed, ${failed.length} failed, in ${seconds.toFixed(0)} s\n${failed.map((path) => `  failed: ${path}\n`).join('')}`)
    if (failed.length > 0) process.exitCode = 1
  } finally {
    for (const end of endings) await end()
  }
}
