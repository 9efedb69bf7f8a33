import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { CommanderError } from 'commander'
import { failed, helpWith, reporting as running } from '../../src/commands/run.ts'
import { ConfigError } from '../../src/config.ts'
import { DatabaseUnavailable, StorageFull, StorageUnavailable } from '../../src/errors.ts'
import { Refusal } from '../../src/operations/refusal.ts'
import { temporaryFolder } from '../helper.ts'
import { databaseFor } from '../records/fixtures/database.ts'
import { commandLine } from './fixtures/command-line.ts'

/** What is written on standard error meanwhile, and the exit code. */
function failing (error: unknown) {
  const { write } = process.stderr
  let written = ''
  process.stderr.write = (text) => { written += String(text); return true }
  try {
    return { code: failed(error), written }
  } finally {
    process.stderr.write = write
  }
}

test('settings come from the environment, and from a file .env where there is one', async (t) => {
  const cwd = await temporaryFolder(t)
  await writeFile(join(cwd, '.env'), 'JWT_ISSUER=from-the-file\n')
  const { status, stdout } = commandLine(cwd, ['token', '--subject', 'ada'], { cwd })
  t.equal(status, 0)
  t.match(JSON.parse(Buffer.from(stdout.split('.')[1] ?? '', 'base64url').toString()), { iss: 'from-the-file' })
})

test('a result is text for people, and one JSON document for machines', async (t) => {
  const cwd = await temporaryFolder(t)
  t.match(commandLine(cwd, ['token', '--subject', 'ada']).stdout, /^\S+\n$/)
  t.match(JSON.parse(commandLine(cwd, ['token', '--subject', 'ada', '--json']).stdout), { subject: 'ada' })
})

test('what is refused is said in a sentence, and nothing else', (t) => {
  for (const error of [new Refusal('Do this.'), new ConfigError('Do this.')]) t.strictSame(failing(error), { code: 1, written: 'Do this.\n' })
  t.end()
})

test('an error that users know says what it comes from, for operators', (t) => {
  t.strictSame(failing(new StorageFull()), { code: 1, written: `${new StorageFull().message}\n` })
  t.strictSame(failing(new StorageUnavailable({ cause: new Error('EIO: fsync') })), { code: 1, written: `${new StorageUnavailable().message} (EIO: fsync)\n` })
  t.end()
})

test('what the operating system refuses is said in one sentence that names the file', (t) => {
  const error = Object.assign(new Error("EACCES: permission denied, scandir '/x'"), { code: 'EACCES', syscall: 'scandir' })
  t.strictSame(failing(error), { code: 1, written: "A file, a folder or a connection cannot be used: EACCES: permission denied, scandir '/x'.\n" })
  t.end()
})

test('who has read enough of a result, as head has, is no failure', async (t) => {
  const { stdout } = process
  const { write } = stdout
  let listened: ((error: Error) => void) | undefined
  const on = t.intercept(process.stdout, 'on', { value: (_name: string, listener: (error: Error) => void) => { listened = listener; return stdout } })
  process.stdout.write = () => true
  try {
    await running(async () => ({ report: {}, text: 'a result' }))({ optsWithGlobals: () => ({}) })
  } finally {
    process.stdout.write = write
    on.restore()
  }
  listened?.(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
  t.throws(() => listened?.(new Error('write EIO')), { message: 'write EIO' })
})

test('an error nobody thought of says what it is and where it happened, but no values', (t) => {
  const { code, written } = failing(Object.assign(new TypeError('x of "ada" is undefined\nemail: ada@example.org'), { code: 'E_X', user: 'ada' }))
  t.equal(code, 1)
  t.match(written, /^Something unexpected happened, TypeError \(E_X\): x of … is undefined\n +at /)
  t.notMatch(written, /ada/)
  const silent = new Error('x')
  delete silent.stack
  t.equal(failing(silent).written, 'Something unexpected happened, Error: x\n')
  t.match(failing('ada'), { code: 1, written: 'Something unexpected happened: something that is no error was thrown.\n' })
  t.end()
})

test('what the database refuses is said without the values that it was asked with', async (t) => {
  const { client } = await databaseFor(t)
  const failure = await client.account.create({ data: { email: 'ada@example.org', passwordHash: 'argon2' } as never }).catch((error: unknown) => error)
  t.match(failure, { name: 'PrismaClientValidationError', message: /ada@example\.org/ })
  t.strictSame(failing(failure), { code: 1, written: 'The database refused what was asked of it (PrismaClientValidationError). Run "upload-gateway doctor", which looks at the database.\n' })
  t.strictSame(failing(new DatabaseUnavailable({ cause: failure })), { code: 1, written: `${new DatabaseUnavailable().message} (The database refused what was asked of it (PrismaClientValidationError))\n` })
})

test('what commander has said is not said again', (t) => {
  t.strictSame(failing(new CommanderError(1, 'commander.unknownOption', 'unknown option')), { code: 2, written: '' })
  t.strictSame(failing(new CommanderError(0, 'commander.helpDisplayed', 'help')), { code: 0, written: '' })
  t.end()
})

test('help ends with the example and the exit codes', (t) => {
  t.match(helpWith('one\ntwo'), /^\nExample:\n {2}one\n {2}two\n\nExit codes:\n {2}0 /)
  t.end()
})

test('what an error names has no power over the terminal', (t) => {
  t.equal(failing(new Refusal('Two lines:\n  a\u001b[2J')).written, 'Two lines:\n  a\\u{1b}[2J\n')
  t.end()
})
