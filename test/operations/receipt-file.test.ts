import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { receiptHeldIn, writeReceipt } from '../../src/operations/receipt-file.ts'
import { secretFiles } from '../../src/storage/secret-files.ts'
import { openReceipts } from '../../src/users/receipt.ts'
import { temporaryFolder } from '../helper.ts'

const erased = { id: 'e', at: '2026-11-21T10:00:00.000Z', owner: 'hash', epoch: 1, blobs: [{ id: 'b', content: 'c' }], counts: { avatars: 1, attachments: 0, bytes: 5, accounts: 0 } }

async function setUp (t: Test) {
  const [home, keys] = [await temporaryFolder(t), await temporaryFolder(t)]
  const receipts = await openReceipts(secretFiles(keys))
  return { home, path: join(home, 'ada.jws'), receipts, receipt: await receipts.sign(erased) }
}

/** As a command that is killed while it writes. */
async function killWriting (path: string): Promise<void> {
  const module = new URL('../../src/operations/receipt-file.ts', import.meta.url)
  const child = spawn(process.execPath, ['--eval', `import('${module.href}').then(({ writeReceipt }) => writeReceipt('${path}', 'x'.repeat(2 ** 26)))`])
  while (!(await readdir(dirname(path))).some((name) => name.startsWith('.'))) await setTimeout(1)
  child.kill('SIGKILL')
  await once(child, 'exit')
}

test('a receipt is written for its owner only, leaves nothing else, and is read again', async (t) => {
  const { home, path, receipts, receipt } = await setUp(t)
  t.equal(await receiptHeldIn(path, receipts), undefined)
  await writeReceipt(path, receipt)
  t.strictSame(await readdir(home), ['ada.jws'])
  t.equal((await stat(path)).mode & 0o777, 0o600)
  t.strictSame(await receiptHeldIn(path, receipts), { erased, receipt })
  await writeFile(join(home, 'answer.json'), JSON.stringify({ erased, receipt }))
  t.strictSame(await receiptHeldIn(join(home, 'answer.json'), receipts), { erased, receipt }, 'as the API answered it')
})

test('an empty file is as none, and what a killed command left for this receipt goes', async (t) => {
  const { home, path, receipts, receipt } = await setUp(t)
  await writeReceipt(join(home, 'other.jws'), receipt)
  await killWriting(path)
  t.match((await readdir(home)).sort(), [/^\.erasure-receipt-/, 'other.jws'])
  await writeFile(path, '')
  t.equal(await receiptHeldIn(path, receipts), undefined)
  t.strictSame(await readdir(home), ['other.jws'])
  await writeReceipt(path, receipt)
  t.equal(await readFile(path, 'utf8'), `${receipt}\n`)
})

test('what is there and is no receipt stays as it is', async (t) => {
  const { home, path, receipts } = await setUp(t)
  const refused = (file: string, message: RegExp) => t.rejects(receiptHeldIn(file, receipts), { name: 'Refusal', message }, file)
  await writeFile(path, 'of another')
  await refused(path, /^There is a file already at .*ada\.jws, and it is no receipt of this gateway\. Name another/)
  t.equal(await readFile(path, 'utf8'), 'of another')
  await mkdir(join(home, 'folder'))
  await symlink('/nowhere', join(home, 'dangling'))
  spawnSync('mkfifo', [join(home, 'pipe')])
  for (const name of ['folder', 'dangling', 'pipe']) await refused(join(home, name), /There is something already at .* that is no file/)
  await refused('/dev/null', /that is no file/)
  await refused(join(home, 'nowhere', 'x'), /^Nothing was erased: the receipt cannot be written: ENOENT/)
  await refused(join(path, 'x'), /cannot be written: (ENOTDIR|EACCES)/)
  await refused(join(home, 'x'.repeat(300)), /cannot be written: ENAMETOOLONG/)
  t.strictSame((await readdir(home)).length, 4)
  await t.rejects(receiptHeldIn(path, { verify: async () => { throw new Error('of something else') } }), { message: 'of something else' })
})

test('a file that came meanwhile is not replaced, and nothing is left', async (t) => {
  const { home, path, receipt } = await setUp(t)
  await writeFile(path, 'of another')
  await t.rejects(writeReceipt(path, receipt), { name: 'Refusal', message: /^The user is erased, but the receipt cannot be written: EEXIST.* Run this again/ })
  await t.rejects(writeReceipt(join(home, 'nowhere', 'x'), receipt), { name: 'Refusal', message: /ENOENT/ })
  t.strictSame(await readdir(home), ['ada.jws'])
  t.equal(await readFile(path, 'utf8'), 'of another')
})

test('of two at once one has the name, and what is there is whole', async (t) => {
  const { home, path, receipts } = await setUp(t)
  const each = await Promise.all(['a', 'b', 'c', 'd'].map((owner) => receipts.sign({ ...erased, owner })))
  const ends = await Promise.allSettled(each.map((receipt) => writeReceipt(path, receipt)))
  const written = each.filter((_, index) => ends[index]?.status === 'fulfilled')
  t.strictSame(written.map((receipt) => `${receipt}\n`), [await readFile(path, 'utf8')])
  t.strictSame(await readdir(home), ['ada.jws'])
})
