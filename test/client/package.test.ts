import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import tap, { test, type Test } from 'tap'
import { temporaryFolder } from '../helper.ts'

const top = resolve(import.meta.dirname, '../..')
const run = promisify(execFile)
const tsc = (...args: string[]) => run(process.execPath, [join(top, 'node_modules/typescript/bin/tsc'), ...args])

type Manifest = { exports: Record<string, { types: string, default: string }> }

/** The package as it is published, as far as the client goes, where programs find it. Returns the folder they are in. */
async function published (t: Test): Promise<string> {
  const folder = await temporaryFolder(t)
  const own = join(folder, 'node_modules/upload-gateway')
  await mkdir(own, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(own, 'package.json'), await readFile(join(top, 'package.json')))
  await tsc('--project', join(top, 'src/client'), '--outDir', join(own, 'dist/client'))
  return folder
}

const program = `
import { createClient, UploadGatewayError, type Attachment, type ErrorCode } from 'upload-gateway/client'
export const uploads = createClient({ baseUrl: 'http://localhost', getToken: async ({ isRefused }: { isRefused: boolean }) => String(isRefused) })
export const upload = (file: Blob): Promise<Attachment> => uploads.attachments.upload(file, { visibility: 'private', signal: new AbortController().signal })
export const code = (error: unknown): ErrorCode | undefined => error instanceof UploadGatewayError ? error.code : undefined
export const isFull = (error: UploadGatewayError): boolean => error.code === 'QUOTA_EXCEEDED'
// @ts-expect-error: there is no such code
export const isNonsense = (error: UploadGatewayError): boolean => error.code === 'NO_SUCH_CODE'
`

const folder = await published(tap)

test('the package gives the client to programs of the browser and of Node, with types, and nothing it needs', { timeout: 60_000 }, async (t) => {
  const own = join(folder, 'node_modules/upload-gateway')
  const { exports } = JSON.parse(await readFile(join(own, 'package.json'), 'utf8')) as Manifest
  const files = await readdir(join(own, 'dist/client'))
  for (const path of Object.values(exports['./client'] ?? {})) t.ok(files.includes(path.slice('./dist/client/'.length)), path)
  for (const file of files) {
    const text = await readFile(join(own, 'dist/client', file), 'utf8')
    for (const [, from = ''] of text.matchAll(/(?:from|import) '([^']+)'|import\("([^"]+)"\)/g)) t.match(from, /^\.\/[a-z-]+\.[jt]s$/, `${file} imports ${from}`)
    t.notMatch(text, /reference types|node:|\bBuffer\b|process\./, file)
  }

  await writeFile(join(folder, 'program.ts'), program)
  await mkdir(join(folder, 'node_modules/@types'))
  await symlink(join(top, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'))
  await symlink(join(top, 'node_modules/undici-types'), join(folder, 'node_modules/undici-types'))
  const usual = ['--strict', '--exactOptionalPropertyTypes', '--module', 'nodenext', '--target', 'es2022', '--types', '*', '--outDir', folder, join(folder, 'program.ts'), '--ignoreConfig']
  const check = (...options: string[]) => tsc(...usual, ...options).then(() => 'right', (error: { stdout: string }) => error.stdout)
  const [inPage, inNode] = await Promise.all([
    check('--lib', 'es2022,dom', '--typeRoots', join(folder, 'none')),
    check('--lib', 'es2022', '--typeRoots', join(folder, 'node_modules/@types'), '--skipLibCheck'),
  ])
  t.equal(inPage, 'right', 'without the types of Node')
  t.equal(inNode, 'right', 'without those of pages')

  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', 'import { uploads } from "./program.js"; console.log(uploads.avatars.url("ada"))'], { cwd: folder })
  t.equal(stdout.trim(), 'http://localhost/api/avatars/ada')
})

test('the client alone is a package too, small and without dependencies', { timeout: 60_000 }, async (t) => {
  const compiled = join(folder, 'node_modules/upload-gateway/dist/client')
  await run(process.execPath, [join(top, 'src/client-package.cjs'), compiled])
  const own = join(folder, 'node_modules/upload-gateway-client')
  await cp(compiled, own, { recursive: true })
  const { version } = JSON.parse(await readFile(join(top, 'package.json'), 'utf8')) as { version: string }
  const manifest = JSON.parse(await readFile(join(own, 'package.json'), 'utf8')) as Record<string, unknown>
  t.match(manifest, { name: 'upload-gateway-client', version, type: 'module', engines: { node: '>=20' } })
  t.strictSame(Object.keys(manifest).filter((name) => /dependencies|scripts|bin/i.test(name)), [])
  t.match(await readFile(join(own, 'README.md'), 'utf8'), 'upload-gateway-client')
  for (const name of await readdir(own)) t.match(name, /\.(d\.ts|js)$|^(package\.json|README\.md|LICENSE)$/)

  await writeFile(join(folder, 'program.ts'), program.replace('upload-gateway/client', 'upload-gateway-client'))
  const old = ['--module', 'es2022', '--moduleResolution', 'node10', '--ignoreDeprecations', '6.0']
  const { stdout: said } = await tsc('--strict', '--target', 'es2022', '--lib', 'es2022,dom', ...old, '--ignoreConfig', '--outDir', folder, join(folder, 'program.ts')).catch((error: { stdout: string }) => error)
  t.equal(said, '', 'also for a TypeScript that knows no exports')
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', 'import { uploads } from "./program.js"; console.log(uploads.avatars.url("ada"))'], { cwd: folder })
  t.equal(stdout.trim(), 'http://localhost/api/avatars/ada')
})
