// The tests that ask a gateway over HTTP, by hand, on other homes than SQLite and a volume:
//   npm run test:homes -- [postgresql|s3|azure [test files]]
import process from 'node:process'
import { createEndings } from './endings.ts'
import { runOn } from './on.ts'
import { homes, isHome, testsOn } from './tests.ts'

const [name, ...named] = process.argv.slice(2)
if (name !== undefined && !isHome(name)) throw new Error(`There is no home ${name}, but ${homes.join(', ')}.`)

for (const home of name === undefined ? homes : [name]) {
  const endings = createEndings()
  try {
    const { passed, failed, seconds, said } = await runOn(endings.t, home, named.length > 0 ? named : testsOn(home), { tell: (line) => process.stdout.write(`${line}\n`) })
    process.stdout.write(`${said}\n${home}: ${passed.length} files passed, ${failed.length} failed, in ${seconds.toFixed(0)} s\n${failed.map((path) => `  failed: ${path}\n`).join('')}`)
    if (failed.length > 0) process.exitCode = 1
  } finally {
    for (const failure of await endings.end()) {
      console.error(`${home}: a server did not end:`, failure)
      process.exitCode = 1
    }
  }
}
