// Which tests hold on every home: those that ask a gateway over HTTP, and on PostgreSQL all that open a database. What is left out is named here, with its reason.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

const sources = (): Map<string, string> => new Map(readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.startsWith('system/'))
  .map((path) => [join('test', path), readFileSync(join(root, 'test', path), 'utf8')]))

/** What each file imports of others of the tests, as path and names. */
function importsIn (path: string, text: string): { readonly from: string, readonly names: string }[] {
  return [...text.matchAll(/^import (?!type )([^']*?) from '(\.[^']+)'/gm)].map(([, names = '', from = '']) => ({ names, from: relative(root, resolve(root, dirname(path), from)) }))
}

/** Test files that import what `isWanted` says, themselves or by their fixtures; from the root of the repository. */
function testsWith (isWanted: (from: string, names: string) => boolean): string[] {
  const files = sources()
  const imports = new Map([...files].map(([path, text]) => [path, importsIn(path, text)]))
  const found = new Set<string>()
  for (let before = -1; before !== found.size;) {
    before = found.size
    for (const [path, all] of imports) {
      // Nearly all import something of it.
      if (path !== helper && all.some(({ from, names }) => isWanted(from, names) || found.has(from))) found.add(path)
    }
  }
  return [...found].filter((path) => path.endsWith('.test.ts')).sort()
}

const helper = 'test/helper.ts'

/** Those that build a gateway. */
export const httpTests = (): string[] => testsWith((from, names) => from === helper && /\bbuild\b/.test(names))

/** Those that open a database themselves, wherever the tests have it. */
export const databaseTests = (): string[] => testsWith((from, names) => from === 'test/fixtures/database-server.ts' && /\bdatabase(Url|Address)For\b/.test(names))

export const homes = ['postgresql', 's3', 'azure'] as const

/** Beside SQLite and a volume, where all tests run: PostgreSQL and a volume, PostgreSQL and an S3 store, PostgreSQL and Azure Blob Storage. */
export type Home = typeof homes[number]

export const isHome = (name: string): name is Home => (homes as readonly string[]).includes(name)

type Exception = { readonly on: readonly Home[], readonly because: string }

/** By path of a file, or of a folder with a slash at the end: on which homes they do not run, and why. */
export const leftOut: Readonly<Record<string, Exception>> = {
  'test/commands/': { on: homes, because: 'they ask nothing over HTTP, and test/system runs every command on each home' },
  'test/operations/': { on: homes, because: 'they ask nothing over HTTP, and damage a volume by path; test/system and test/storage do it on each home' },
  'test/records/leftovers.test.ts': { on: homes, because: 'it is about files beside the SQLite database' },
  'test/storage/objects/': { on: homes, because: 'their store is in memory' },
  'test/docker/monitoring.test.ts': { on: homes, because: 'it is about names of metrics, which are the same' },
}

/** What runs on Azure, of which the gateway asks nothing that it does not ask of S3. The others may be named. */
export const core: readonly string[] = [
  'test/app.test.ts', 'test/attachments/', 'test/avatars/pictures.test.ts', 'test/avatars/routes.test.ts', 'test/avatars/uploads.test.ts',
  'test/resumable/engine.test.ts', 'test/resumable/finishing.test.ts', 'test/resumable/routes.test.ts', 'test/transfer/', 'test/users/routes.test.ts',
]

const isAt = (path: string, place: string): boolean => path === place || (place.endsWith('/') && path.startsWith(place))

const isLeftOut = (path: string, home: Home): boolean => Object.entries(leftOut).some(([place, { on }]) => on.includes(home) && isAt(path, place)) ||
  (home === 'azure' && !core.some((place) => isAt(path, place)))

/** All that build a gateway, and where only the database is another one all that open one; unless they are left out. */
export const testsOn = (home: Home): string[] =>
  [...new Set([...httpTests(), ...home === 'postgresql' ? databaseTests() : []])].sort().filter((path) => !isLeftOut(path, home))
