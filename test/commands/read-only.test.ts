// READ_ONLY=true holds for commands too: those that change something refuse to, those that only read go on and change nothing.
import { mkdir, readdir, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { build, multipart, picture, temporaryFolder } from '../helper.ts'
import { onSqliteOnly } from '../fixtures/database-server.ts'
import { commandLine } from './fixtures/command-line.ts'

/** A volume with an avatar and its database; `run`: a command there. */
async function setUp (t: Test) {
  const folder = await temporaryFolder(t)
  const uploads = join(folder, 'uploads')
  const { app, as } = await build(t, { UPLOADS_DIR: uploads })
  const form = await multipart([['file', { bytes: await picture(), filename: 'a.jpg' }]])
  t.equal((await app.inject({ method: 'PUT', url: '/api/avatars/me', ...form, headers: { ...form.headers, ...await as('ada') } })).statusCode, 201)
  await app.close()
  return { folder, uploads, run: (...args: string[]) => commandLine(uploads, args, { settings: { READ_ONLY: 'true' } }) }
}

test('what changes something is refused in one sentence', async (t) => {
  const { folder, uploads, run } = await setUp(t)
  const before = (await readdir(uploads, { recursive: true })).filter((path) => !/sqlite/.test(path)).sort()
  const changing = [
    ['sweep'], ['trash', 'restore', 'x'], ['trash', 'purge', '--all', '--yes'], ['events', 'retry', '--all'], ['erase', '--owner', 'ada', '--yes'], ['audit', '--repair'],
    ['rebuild'], ['restore', folder], ['privacy', 'sweep', '--run'], ['import', 'system-r', '--database-url', 'postgres://127.0.0.1:1/x', '--run'],
    ['import', 'system-m-avatars', folder, '--run'], ['import', 'system-m-attachments', folder, '--visibility', 'private', '--run'],
  ]
  for (const args of changing) t.match(run(...args), { status: 1, stdout: '', stderr: /^Nothing was done: this changes something, and READ_ONLY=true [^\n]*\n$/ }, args.join(' '))
  t.strictSame((await readdir(uploads, { recursive: true })).filter((path) => !/sqlite/.test(path)).sort(), before)
})

test('what only reads goes on', async (t) => {
  const { folder, run } = await setUp(t)
  const [backup, old] = [join(folder, 'backup'), join(folder, 'old')]
  await mkdir(old)
  await writeFile(join(old, 'a.jpg'), await picture())
  const reading = [
    ['verify'], ['audit'], ['sweep', '--dry-run'], ['trash', 'list'], ['events', 'list'], ['privacy', 'sweep'], ['explain', 'ada'], ['backup', backup], ['restore', '--drill', backup],
    ['restore', backup, '--into', join(folder, 'other')], ['import', 'system-m-avatars', old, '--owner', 'x'], ['token', '--subject', 'ada'],
  ]
  for (const args of reading) t.match(run(...args), { status: 0, stderr: /^(?!.*READ_ONLY)/s }, args.join(' '))
  t.match(run('doctor'), { stdout: /in order/ })
})

test('a key that there is none of yet is not made', { skip: onSqliteOnly }, async (t) => {
  const { uploads, run } = await setUp(t)
  const place = join(uploads, 'database')
  t.match(run('erase', '--public-key'), { status: 0, stdout: /"kty"/ })
  await unlink(join(place, 'erasure-signing.jwk'))
  t.match(run('erase', '--public-key'), { status: 1, stderr: /READ_ONLY=true makes none/ })
  t.notOk((await readdir(place)).includes('erasure-signing.jwk'))
})
