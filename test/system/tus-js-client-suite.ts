// Runs the test suite of tus-js-client itself against a gateway, in Node and in Chromium; not part of `npm run test:system`, as it is somebody else's and comes from elsewhere:
//
//   git clone --branch v4.3.1 https://github.com/tus/tus-js-client /tmp/tus-js-client && cd /tmp/tus-js-client
//   PUPPETEER_SKIP_DOWNLOAD=1 npm install --ignore-scripts && npm run build
//   node test/system/tus-js-client-suite.ts /tmp/tus-js-client      (in this repository, with Node 24, as root; needs chromium and openssl)
//
// The suite speaks to a server at https://tusd.tusdemo.net/files/, sends no token, and reads a finished upload back from its own URL, which tus leaves open. So it is run in a
// copy, with the address of a small proxy in the place of that one, which adds a token and answers a GET with the bytes of the attachment.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { request, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { argv, execPath, exit } from 'node:process'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { chromium } from './fixtures/chromium.ts'
import { site } from './fixtures/site.ts'
import { bearer, start } from './gateway.ts'
import { run } from './machine.ts'

const { authorization } = await bearer('ada')
const origin = 'https://tusd.tusdemo.net'

const [, , home = ''] = argv
const suite = resolve(home)
const files: string[] = await readdir(suite).catch(() => [])
if (!files.includes('dist') || !files.includes('node_modules')) {
  console.error(`${suite} is no built tus-js-client; the top of this file says how to get one.`)
  exit(1)
}

/** Of localhost, made up for this run: one spec insists on https. */
const keys = await temporaryFolder(t)
const [key, certificate] = [join(keys, 'key.pem'), join(keys, 'certificate.pem')]
await run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, '-days', '1', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost')

/** The gateway as the suite expects its server: for all, and with the bytes at the URL of the upload. */
async function open (t: Test, target: string, corsOrigin: string): Promise<string> {
  async function bytesAt (path: string): Promise<string> {
    const { attachment } = await fetch(new URL(path, target), { headers: { authorization } }).then((answer) => answer.json()) as { attachment?: { url: string } }
    return attachment?.url ?? path
  }

  async function pass (from: IncomingMessage, to: ServerResponse): Promise<void> {
    const asked = (from.url ?? '').replace(/^\/files\/?/, '/api/resumable/').replace(/\/$/, '')
    const path = from.method === 'GET' && asked.startsWith('/api/resumable/') ? await bytesAt(asked) : asked
    const on = request(new URL(path, target), { method: from.method, headers: { ...from.headers, host: new URL(target).host, ...(from.method !== 'OPTIONS' && { authorization }) } }, (answer) => {
      const headers = { ...answer.headers, ...(answer.headers.location !== undefined && { location: answer.headers.location.replace('/api/resumable/', '/files/') }) }
      // A page may read what is of another site only when that allows it.
      to.writeHead(answer.statusCode ?? 500, { ...headers, 'access-control-allow-origin': corsOrigin })
      answer.pipe(to)
    })
    on.on('error', () => to.destroy())
    from.pipe(on)
  }

  const server = createServer({ key: await readFile(key), cert: await readFile(certificate) }, (from, to) => { pass(from, to).catch(() => to.destroy()) }).listen(0)
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return `https://localhost:${(server.address() as AddressInfo).port}`
}

/** In the texts of the suite, also inside of regular expressions. */
const pointed = (text: string, to: string): string => text.replaceAll(origin, to).replaceAll(origin.replaceAll('/', '\\/').replaceAll('.', '\\.'), to.replaceAll('/', '\\/').replaceAll('.', '\\.'))

async function copied (t: Test, to: string): Promise<string> {
  const copy = join(await temporaryFolder(t), 'suite')
  await cp(suite, copy, { recursive: true, filter: (path) => !path.endsWith('/node_modules') && !path.includes('/.git') })
  await symlink(join(suite, 'node_modules'), join(copy, 'node_modules'))
  for (const entry of await readdir(join(copy, 'test/spec'), { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && path.endsWith('.js')) await writeFile(path, pointed(await readFile(path, 'utf8'), to))
  }
  return copy
}

t.test('in Node', { timeout: 300_000 }, async (t) => {
  const gateway = await start(t, await temporaryFolder(t))
  const copy = await copied(t, await open(t, gateway.url, '*'))
  t.teardown(() => rm(copy, { recursive: true, force: true }))
  const child = spawn(execPath, [join(copy, 'node_modules/jasmine/bin/jasmine.js'), 'test/spec/node-index.js'], { cwd: copy, env: { PATH: process.env['PATH'], NODE_EXTRA_CA_CERTS: certificate }, stdio: ['ignore', 'pipe', 'inherit'] })
  const said = (await buffer(child.stdout)).toString()
  const [summary = said] = /\d+ specs, .*/.exec(said) ?? []
  t.match(summary, /^\d+ specs, 0 failures$/, summary)
  if (!/ 0 failures/.test(summary)) t.comment(said)
})

t.test('in Chromium', { timeout: 300_000 }, async (t) => {
  const jasmine = (name: string) => readFile(join(suite, 'node_modules', name), 'utf8')
  const scripts: Record<string, string> = {
    '/jasmine.js': await jasmine('jasmine-core/lib/jasmine-core/jasmine.js'),
    '/jasmine-html.js': await jasmine('jasmine-core/lib/jasmine-core/jasmine-html.js'),
    '/boot0.js': await jasmine('jasmine-core/lib/jasmine-core/boot0.js'),
    '/mock-ajax.js': await jasmine('jasmine-ajax/lib/mock-ajax.js'),
    // Instead of boot1, which draws a page: collects what was done.
    '/boot1.js': `window.done = new Promise((resolve) => {
      const failed = []
      let count = 0
      jasmine.getEnv().addReporter({
        specDone: ({ fullName, status, failedExpectations }) => {
          if (status !== 'excluded' && status !== 'pending') count += 1
          if (status === 'failed') failed.push(fullName + ': ' + failedExpectations.map(({ message }) => message).join('; '))
        },
        jasmineDone: () => resolve({ count, failed }),
      })
      window.onload = () => jasmine.getEnv().execute()
    })`,
    '/': ['jasmine', 'jasmine-html', 'boot0', 'boot1', 'mock-ajax', 'bundle'].map((name) => `<script src="/${name}.js"></script>`).join('\n'),
  }
  const pages = await site(t, scripts)
  const page = pages.on('localhost')
  const gateway = await start(t, await temporaryFolder(t), { CORS_ORIGINS: page })
  scripts['/bundle.js'] = pointed(await readFile(join(suite, 'dist/browser-test-bundle.js'), 'utf8'), await open(t, gateway.url, page))
  const tab = await (await chromium(t, { acceptInsecureCerts: true })).newPage()
  await tab.goto(page)
  const { count, failed } = await tab.evaluate('window.done') as { count: number, failed: string[] }
  t.same(failed, [], `${count} specs, ${failed.length} failures`)
  t.ok(count > 50)
})
