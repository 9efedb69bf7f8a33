// Holds the import lines against the picture in README: which folder may know which.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'tap'

const src = resolve(import.meta.dirname, '../src')

/** The layers as README draws them: a folder may import from itself, from `foundation`, and from what stands behind it here. */
const mayImport: Record<string, readonly string[]> = {
  storage: [],
  client: [],
  images: ['storage'],
  scanning: ['storage'],
  callers: [],
  transfer: ['images', 'storage', 'callers'],
  records: ['storage'],
  plugins: ['callers', 'images', 'records', 'scanning', 'storage', 'transfer'],
  avatars: ['callers', 'images', 'plugins', 'records', 'scanning', 'storage', 'transfer'],
  attachments: ['callers', 'images', 'plugins', 'records', 'scanning', 'storage', 'transfer'],
  resumable: ['callers', 'plugins', 'records', 'storage', 'transfer'],
  accounts: ['callers', 'plugins', 'records', 'transfer'],
  events: ['plugins', 'records'],
  users: ['callers', 'plugins', 'records', 'storage', 'transfer'],
  compat: ['avatars', 'callers', 'plugins', 'storage', 'transfer'],
  operations: ['attachments', 'avatars', 'callers', 'events', 'images', 'records', 'scanning', 'storage', 'transfer', 'users'],
  commands: ['callers', 'operations', 'records', 'storage'],
}
const foundation = ['errors.ts', 'config.ts', 'version.ts', 'wording.ts', 'user-id.ts', 'secrets.ts', 'basis.ts', 'http.ts', 'priority.ts']

const sources = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts') && !path.startsWith('generated'))

const importsOf = (path: string): string[] =>
  [...readFileSync(join(src, path), 'utf8').matchAll(/from '(\.[^']+)'/g)].map(([, target = '']) => relative(src, resolve(src, dirname(path), target)))

const folderOf = (path: string): string => path.includes('/') ? path.slice(0, path.indexOf('/')) : path

test('imports go in the direction of the picture', (t) => {
  for (const path of sources) {
    const from = folderOf(path)
    if (from.endsWith('.ts')) continue
    const allowed = mayImport[from]
    if (allowed === undefined) t.fail(`src/${from} is not in the picture`)
    for (const target of importsOf(path)) {
      const to = folderOf(target)
      const isDatabase = to === 'generated' && (from === 'records' || path.endsWith('/records.ts'))
      t.ok(to === from || foundation.includes(to) || allowed?.includes(to) || isDatabase, `${path} imports ${target}`)
    }
  }
  t.end()
})

test('storage knows nothing of HTTP, users or Prisma; services nothing of Fastify', (t) => {
  for (const path of sources) {
    const text = readFileSync(join(src, path), 'utf8')
    if (path.startsWith('storage/')) t.notMatch(text, /from '(fastify|@fastify|@prisma|node:http)/, path)
    if (path.endsWith('/service.ts')) t.notMatch(text, /from '(fastify|@fastify)/, path)
  }
  t.end()
})

test('the client, which runs elsewhere, imports nothing but its own files', (t) => {
  for (const path of sources.filter((path) => path.startsWith('client/'))) {
    for (const [, target = ''] of readFileSync(join(src, path), 'utf8').matchAll(/(?:from|import)\s*\(?'([^']+)'/g)) t.match(target, /^\.\/[a-z-]+\.ts$/, `${path} imports ${target}`)
  }
  t.end()
})

test('every file says first what it owns', (t) => {
  for (const path of sources) t.match(readFileSync(join(src, path), 'utf8'), /^(#!.*\n)?\/\/ \S/, path)
  t.end()
})

test('what would make each start longer is not loaded by it', (t) => {
  // Modules, and what has what is needed of them.
  const avoided = { 'node:http': 'http.ts', 'opentype.js/dist/opentype.mjs': 'an import() where a letter is drawn', 'pino-pretty': 'a require() where there is a terminal', 'typebox/value': 'typebox/schema', 'env-schema': 'ajv' }
  for (const path of sources.filter((path) => !path.startsWith('operations/') && !path.startsWith('commands/'))) {
    const loaded = [...readFileSync(join(src, path), 'utf8').matchAll(/^import (?!type ).*'([^']+)'/gm)].map(([, module]) => module)
    for (const [module, instead] of Object.entries(avoided)) t.notOk(loaded.includes(module), `${path}: instead of ${module}, ${instead}`)
  }
  t.end()
})
