// The examples of src/client/README.md, taken from the page and run against a gateway.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, request as requestTo } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { createElement, type FunctionComponent } from 'react'
import { test, type Test } from 'tap'
import ts from 'typescript'
import { picture, temporaryFolder } from '../helper.ts'
import { stage } from './fixtures/react-stage.ts'
import { serve, type Served } from './fixtures/serve.ts'
import { HttpXhr } from './fixtures/xhr.ts'

const run = promisify(execFile)
const top = resolve(import.meta.dirname, '../..')
const page = await readFile(join(top, 'src/client/README.md'), 'utf8')
const examples = new Map([...page.matchAll(/^```\w+ (\S+)\n(.*?)^```$/gms)].map(([, name = '', code = '']) => [name, code]))

/** The examples, and what they import, in a folder of their own; as JavaScript. */
async function placed (t: Test, { baseUrl, tokenOf }: Served): Promise<string> {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(folder, 'session.js'), `export const currentToken = () => 'expired'; export const freshToken = async () => '${await tokenOf('ada')}'`)
  for (const [name, code] of examples) {
    const here = code.replaceAll('https://uploads.example', baseUrl)
      .replaceAll('\'upload-gateway/client\'', `'${pathToFileURL(join(top, 'src/client/client.ts'))}'`)
      .replaceAll('\'tus-js-client\'', `'${import.meta.resolve('tus-js-client')}'`)
    const { outputText } = ts.transpileModule(here, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, jsx: ts.JsxEmit.ReactJSX } })
    const react = (name: string) => pathToFileURL(join(top, 'node_modules/react', name)).href
    await writeFile(join(folder, name.replace(/\.tsx?$/, '.js')), name.endsWith('.sh') ? code : outputText.replace('"react/jsx-runtime"', `'${react('jsx-runtime.js')}'`).replace('\'react\'', `'${react('index.js')}'`))
  }
  return folder
}

const importing = async <T>(folder: string, name: string): Promise<T> => await import(pathToFileURL(join(folder, name)).href) as T

test('the examples are those of the page', (t) => {
  t.strictSame([...examples.keys()], ['page.js', 'avatar-picker.tsx', 'invoices.ts', 'tus.ts', 'upload.sh', 'resume.sh'])
  t.end()
})

test('their types are right', { timeout: 60_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  for (const [name, code] of examples) if (/\.tsx?$/.test(name)) await writeFile(join(folder, name), code)
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(folder, 'session.d.ts'), 'export function currentToken (): string; export function freshToken (): Promise<string>')
  const inRepository = (path: string) => join(top, path)
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({
    extends: inRepository('tsconfig.json'),
    compilerOptions: {
      lib: ['es2022', 'dom', 'dom.iterable'], jsx: 'react-jsx', types: ['node'], typeRoots: [inRepository('node_modules/@types')],
      paths: { 'upload-gateway/client': [inRepository('src/client/client.ts')], 'tus-js-client': [inRepository('node_modules/tus-js-client/lib/index.d.ts')], react: [inRepository('node_modules/@types/react')], 'react/jsx-runtime': [inRepository('node_modules/@types/react/jsx-runtime.d.ts')] },
    },
    include: ['.'],
  }))
  const { stdout } = await run(process.execPath, [inRepository('node_modules/typescript/bin/tsc'), '--project', folder]).catch((error: { stdout: string }) => error)
  t.equal(stdout, '')
})

test('a page: the file is uploaded with progress, the token refreshed, and the private picture shown', async (t) => {
  const served = await serve(t)
  const folder = await placed(t, served)
  const onChange = Promise.withResolvers<() => Promise<void>>()
  const shown: Record<string, Record<string, unknown>> = {
    input: { files: [new File([new Uint8Array(await picture())], 'photo.jpg')], addEventListener: (_: string, listener: () => Promise<void>) => onChange.resolve(listener) },
    progress: {}, img: {}, '[role=status]': {},
  }
  t.intercept(globalThis, 'document' as keyof typeof globalThis, { value: { querySelector: (one: string) => shown[one] } })
  t.intercept(globalThis, 'XMLHttpRequest' as keyof typeof globalThis, { value: HttpXhr })
  t.intercept(globalThis, 'localStorage' as keyof typeof globalThis, { value: { getItem: () => null, setItem: () => {} } })
  let cookie = ''
  const { fetch } = globalThis
  t.intercept(globalThis, 'fetch', {
    value: async (...request: Parameters<typeof fetch>) => {
      const response = await fetch(...request)
      cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie
      return response
    },
  })
  await importing(folder, 'page.js')
  await (await onChange.promise)()
  t.match(shown, { progress: { value: 1 }, '[role=status]': { textContent: 'photo.jpg is there.' } })
  const preview = await fetch(String(shown['img']?.['src']), { headers: { cookie } })
  t.match(preview, { status: 200 })
  t.match(preview.headers.get('content-type'), 'image/')
  Object.assign(shown['input'] ?? {}, { files: [new File(['words'], 'notes.txt')] })
  const { src } = shown['img'] ?? {}
  await (await onChange.promise)()
  t.match(shown, { img: { src }, '[role=status]': { textContent: 'notes.txt is there.' } }, 'what is no picture is not shown as one')
  const { attachments } = await (await served.client()).attachments.list({ contextType: 'message', contextId: '17' })
  t.equal(attachments.length, 2)
})

test('React: the new picture is shown, and what is none is explained', async (t) => {
  const served = await serve(t)
  const { AvatarPicker } = await importing<{ AvatarPicker: FunctionComponent<{ userId: string }> }>(await placed(t, served), 'avatar-picker.js')
  const shown = stage(createElement(AvatarPicker, { userId: 'ada' }))
  const until = async (holds: () => boolean) => { while (!holds()) await new Promise(setImmediate) }
  const choose = (file: File) => (shown('input')?.props['onChange'] as (event: object) => void)({ target: { files: [file] } })
  const source = () => String(shown('img')?.props['src'])
  await until(() => shown('img') !== undefined)
  t.equal(source(), `${served.baseUrl}/api/avatars/ada?size=128&fallback=initials`)
  choose(new File([new Uint8Array(await picture())], 'me.jpg'))
  await until(() => source().includes('/api/avatars/ada/'))
  t.match(await fetch(source()), { status: 200 })
  await until(() => shown('progress') === undefined)
  choose(new File(['words'], 'me.jpg'))
  await until(() => shown('p') !== undefined)
  t.match(shown('p')?.children.join(''), 'not of a type this route takes')
})

test('a Node service: an invoice is attached once, however often the job runs, and its link opens', async (t) => {
  const served = await serve(t)
  const folder = await placed(t, served)
  const invoice = join(folder, 'invoice.pdf')
  await writeFile(invoice, '%PDF-1.4 the invoice')
  process.env['UPLOADS_TOKEN'] = await served.tokenOf('billing', 'uploads:service')
  t.teardown(() => { delete process.env['UPLOADS_TOKEN'] })
  type Invoices = { attachInvoice: (userId: string, invoiceId: string, path: string) => Promise<string>, invoicesOf: (userId: string) => Promise<string[]> }
  const { attachInvoice, invoicesOf } = await importing<Invoices>(folder, 'invoices.js')
  const links = [await attachInvoice('ada', '42', invoice), await attachInvoice('ada', '42', invoice)]
  t.strictSame(await invoicesOf('ada'), ['invoice-42.pdf'])
  for (const link of links) {
    const { pathname, search } = new URL(link)
    const response = await fetch(served.baseUrl + pathname + search)
    t.equal(await response.text(), '%PDF-1.4 the invoice')
    t.match(response.headers.get('content-disposition'), 'attachment')
  }
})

test('tus-js-client: a rate and a changed byte do not end the upload', async (t) => {
  const served = await serve(t)
  const refusals = [429, 460]
  const seen: string[] = []
  const between = createServer((request, response) => {
    const status = request.method === 'PATCH' ? refusals.shift() : undefined
    seen.push(`${request.method ?? ''} ${status ?? ''}`.trim())
    if (status !== undefined) return request.resume().once('end', () => response.writeHead(status).end())
    const { method, url, headers } = request
    request.pipe(requestTo(served.baseUrl + String(url), { method, headers: { ...headers, authorization } }, (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 0, answer.headers))))
  })
  between.listen(0, '127.0.0.1')
  t.teardown(() => between.close().closeAllConnections())
  await once(between, 'listening')
  const authorization = `Bearer ${await served.tokenOf('ada')}`
  const folder = await placed(t, { ...served, baseUrl: `http://127.0.0.1:${(between.address() as AddressInfo).port}` })
  const { send } = await importing<{ send: (file: object, onProgress: (sent: number, total: number) => void) => Promise<string> }>(folder, 'tus.js')
  const progress: number[] = []
  // In Node it takes a Buffer for a file.
  const result = await send(Object.assign(Buffer.from('the words of it'), { name: 'notes.txt', type: 'text/plain' }), (sent) => progress.push(sent))
  t.match(await (await fetch(served.baseUrl + result, { headers: { authorization } })).json(), { filename: 'notes.txt', size: 15 })
  t.strictSame(seen, ['POST', 'PATCH 429', 'HEAD', 'PATCH 460', 'HEAD', 'PATCH'])
  t.equal(progress.at(-1), 15)
})

const hasCurl = await run('curl', ['--version']).then(({ stdout }) => Number(/^curl 7\.(\d+)|^curl (\d+)/.exec(stdout)?.[1] ?? 99) >= 84, () => false)

test('curl: in one request, twice with one key; and in chunks', { skip: hasCurl ? false : 'there is no curl of 7.84 or newer' }, async (t) => {
  const served = await serve(t)
  const cwd = await placed(t, served)
  const text = 'the report\n'.repeat(1000)
  await writeFile(join(cwd, 'report.pdf'), text)
  const env = { ...process.env, GATEWAY: served.baseUrl, TOKEN: await served.tokenOf('ada') }
  const shell = async (name: string) => JSON.parse((await run('sh', [name], { cwd, env })).stdout) as Record<string, unknown>
  const [first, second] = [await shell('upload.sh'), await shell('upload.sh')]
  t.match(first, { attachments: [{ filename: 'report.pdf', contextId: '17' }] })
  t.strictSame(second, first)
  const [whole, again] = [await shell('resume.sh'), await shell('resume.sh')]
  t.match(whole, { state: 'finished', attachment: { filename: 'report.pdf', size: text.length } })
  t.match(again, { attachment: whole['attachment'] })
  const refused = await run('sh', ['resume.sh'], { cwd, env: { ...env, TOKEN: 'junk' } }).then(() => ({}), (error: object) => error)
  t.match(refused, { code: 1, stdout: '', stderr: /TOKEN_INVALID/ }, 'what goes wrong is told, and ends it')
})
