// Holds the import lines against the picture in README: which folder may know which.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'tap'

const src = resolve(import.meta.dirname, '../src')

/** The layers as README draws them: a folder may import from itself, from `foundation`, and from what stands behind it here. */
const mayImport: Record<string, readonly string[]> = {
  storage: [],
  images: ['storage'],
  callers: [],
  transfer: ['images', 'storage', 'callers'],
  records: ['storage'],
  plugins: ['callers', 'images', 'records', 'storage', 'transfer'],
  avatars: ['callers', 'images', 'plugins', 'records', 'storage', 'transfer'],
  attachments: ['callers', 'images', 'plugins', 'records', 'storage', 'transfer'],
  accounts: ['callers', 'plugins', 'records', 'transfer'],
  users: ['callers', 'plugins', 'records', 'storage', 'transfer'],
  compat: ['avatars', 'callers', 'plugins', 'storage', 'transfer'],
  operations: ['attachments', 'avatars', 'callers', 'images', 'records', 'storage', 'transfer', 'users'],
  commands: ['callers', 'operations', 'records', 'storage'],
}
const foundation = ['errors.ts', 'config.ts', 'version.ts', 'wording.ts', 'user-id.ts']

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

test('every file says first what it owns', (t) => {
  for (const path of sources) t.match(readFileSync(join(src, path), 'utf8'), /^(#!.*\n)?\/\/ \S/, path)
  t.end()
})
