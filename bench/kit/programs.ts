// Programs of the machine that a comparison needs.
import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import { toolPath } from '../../test/system/machine.ts'

/** Ends the process with a sentence that says what to install. `packages`: program to package of Debian; each program answers to -v. */
export async function needPrograms (packages: Readonly<Record<string, string>>): Promise<void> {
  const tried = await Promise.all(Object.entries(packages).map(async ([program, name]) => {
    const error = await promisify(execFile)(program, ['-v'], { env: { PATH: toolPath } }).catch((error: NodeJS.ErrnoException) => error)
    return 'code' in error && error.code === 'ENOENT' ? [name] : []
  }))
  if (tried.flat().length === 0) return
  process.stderr.write(`Programs are missing: apt-get install --no-install-recommends ${[...new Set(tried.flat())].join(' ')}\n`)
  process.exit(1)
}
