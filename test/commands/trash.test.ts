import { Command } from 'commander'
import { test, type Test } from 'tap'
import { failed } from '../../src/commands/run.ts'
import { createConfirm, listText, purgeText, restoreText, trashCommand } from '../../src/commands/trash.ts'
import { usedGateway } from '../operations/fixtures/used-gateway.ts'
import { commandLine } from './fixtures/command-line.ts'

async function setUp (t: Test) {
  const used = await usedGateway(t)
  const trash = (...args: string[]) => commandLine(used.folder, ['trash', ...args])
  const dropped = async (user: string) => {
    const { id } = await used.post(user)
    await used.drop(user, id)
    return id
  }
  return { ...used, trash, dropped }
}

test('trash list shows what is there, for people and for machines', async (t) => {
  const { trash, dropped } = await setUp(t)
  const [ada, bob] = [await dropped('ada'), await dropped('bob')]
  const { stdout } = trash('list')
  t.match(stdout, new RegExp(`^id .*\\n${bob} +attachment +bob +20\\d\\d-\\d\\d-\\d\\d +5 B +notes.txt\\n${ada} .*\\n2 in the trash, 10 B; each is kept for 30 days\\.\\n$`))
  t.match(trash('list', '--owner', 'ada').stdout, new RegExp(`^id +what +since +size +name\\n${ada} .*\\n1 of ada in the trash, 5 B`))
  t.match(JSON.parse(trash('list', '--owner', 'ada', '--kind', 'attachment', '--limit', '1', '--json').stdout), { count: 1, bytes: 5, items: [{ id: ada, ownerId: 'ada' }] })
})

test('trash restore brings back what is there, and says what it left alone', async (t) => {
  const { trash, dropped, statusOf } = await setUp(t)
  const id = await dropped('ada')
  const { status, stdout } = trash('restore', id, 'nonsense')
  t.equal(status, 3)
  t.match(stdout, new RegExp(`^${id} {2}is back as an attachment of ada: /api/attachments/${id}/content\\nnonsense {2}left alone: There is no file.*\\n1 restored, 1 left alone\\.\\n$`))
  t.equal(await statusOf('ada', `/api/attachments/${id}/content`), 200)
})

test('trash purge asks, and where nobody can answer it needs --yes', async (t) => {
  const { app, trash, dropped } = await setUp(t)
  const [old] = [await dropped('ada'), await dropped('ada')]
  t.match(trash('purge', '--all'), { status: 1, stdout: '', stderr: /^This would remove 2 files \(10 B\) for good\. Nothing was removed: add --yes/ })
  t.equal(await app.database.client.blob.count(), 2)
  await app.database.client.blob.updateMany({ where: { attachment: { id: old } }, data: { stateAt: new Date(0) } })
  t.match(JSON.parse(trash('purge', '--owner', 'ada', '--older-than', '7d', '--yes', '--json').stdout), { purged: 1, bytes: 5, left: { length: 0 } })
  t.strictSame((await app.database.client.blob.findMany()).map(({ ownerId }) => ownerId), ['ada'])
})

test('a live file is left alone also when it is named', async (t) => {
  const { trash, post, statusOf } = await setUp(t)
  const { id, url } = await post('ada')
  t.match(trash('purge', id, '--yes'), { status: 3, stdout: new RegExp(`^${id} {2}left alone: It is not in the trash: it is live\\.\\n0 removed for good, 0 B; 1 left alone\\.\\n$`) })
  t.equal(await statusOf('ada', url), 200)
})

/** Without a process of its own: what is not valid is refused before anything is opened. */
async function refused (...args: string[]): Promise<string> {
  let said = ''
  const program = new Command('upload-gateway').exitOverride().configureOutput({ writeErr: (text) => { said += text }, writeOut: (text) => { said += text } })
  trashCommand(program)
  return program.parseAsync(['trash', ...args], { from: 'user' }).then(() => 'nothing was refused', (error: unknown) => `${failed(error)} ${said}`)
}

test('a command line that does not say what is to go, or says it twice, is not valid', async (t) => {
  t.match(await refused('purge', '--yes'), /^2 .*name what is to go: ids, or --all, or one or both of --owner and --older-than/)
  for (const args of [['--all', '--owner', 'ada'], ['--all', '--older-than', '1d'], ['x', '--all'], ['x', '--older-than', '1d']]) t.match(await refused('purge', ...args, '--yes'), /^2 .*exclude each other: ids, --all, and --owner or --older-than/, args.join(' '))
  t.match(await refused('purge', '--older-than', 'x'), /^2 .*like 30s/)
  for (const limit of ['0', '-1', '1.5', 'x', '1000000']) t.match(await refused('list', '--limit', limit), /^2 .*whole number from 1/, limit)
  t.match(await refused('restore'), /^2 .*missing required argument/)
  t.match(await refused('list', '--kind', 'video'), /^2 .*avatar, attachment/)
})

test('each says in --help what it does, with an example', async (t) => {
  for (const name of ['list', 'restore', 'purge']) t.match(await refused(name, '--help'), new RegExp(`^0 [^]*Example:\\n +upload-gateway trash ${name}[^]*Exit codes:`))
  t.match(await refused('--help'), /^0 [^]*list[^]*restore[^]*purge/)
})

test('the question has the counts and bytes, and is not asked where it is answered already', async (t) => {
  const asked: string[] = []
  const ask = async (question: string) => { asked.push(question); return false }
  t.equal(await createConfirm(true, ask)({ count: 1, bytes: 5 }), true)
  t.equal(await createConfirm(false, ask)({ count: 1, bytes: 5 }), false)
  t.strictSame(asked, ['Remove 1 file (5 B) for good?'])
  await t.rejects(createConfirm(false, undefined)({ count: 2, bytes: 5 }), { name: 'Refusal', message: /^This would remove 2 files/ })
})

test('texts for people', (t) => {
  t.equal(restoreText({ restored: [{ id: 'a', kind: 'avatar', ownerId: 'ada', as: 'current picture', url: '/x' }, { id: 'b', kind: 'avatar', ownerId: null, as: 'earlier picture', url: '/y' }], left: [] }), 'a  is back as the current picture of ada: /x\nb  is back as an earlier picture of nobody: /y\n2 restored, 0 left alone.')
  t.equal(purgeText({ purged: 1, bytes: 5, finished: 0, left: [] }), '1 removed for good, 5 B.')
  t.equal(purgeText({ purged: 0, bytes: 0, finished: 2, left: [] }), '2 that an earlier purge had begun with are gone now too.\n0 removed for good, 0 B.')
  t.end()
})

test('the list fits a terminal', (t) => {
  const options = { ownerId: undefined, retentionMs: 30 * 86_400_000 }
  const item = { id: '019aa1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b', blobId: 'x', kind: 'avatar', ownerId: 'ada', state: 'superseded', stateAt: '2026-11-21T10:11:12.345Z', keptUntil: '2026-12-21T10:11:12.345Z', bytes: 1000 * 1024, filename: null } as const
  const attachment = { ...item, kind: 'attachment', state: 'deleted', filename: 'a name.pdf' } as const
  t.equal(listText({ count: 0, bytes: 0, items: [] }, options), '0 in the trash, 0 B.')
  const all = listText({ count: 4, bytes: 10, items: [item, { ...item, state: 'deleted', ownerId: null }, attachment] }, options)
  t.match(all, /^id +what +owner +since +size +name\n\S+ +replaced avatar +ada +2026-11-21 +1000 KiB\n\S+ +avatar +2026-11-21 .*\n\S+ +attachment +ada .* a name\.pdf\n4 in the trash, 10 B; each is kept for 30 days; the latest 3 are shown\.$/)
  const ofOne = listText({ count: 2, bytes: 10, items: [item, { ...attachment, filename: 'quarterly.pdf' }] }, { ...options, ownerId: item.id, retentionMs: 86_400_000 })
  t.match(ofOne, new RegExp(`\\n2 of ${item.id} in the trash, 10 B; each is kept for 1 day\\.$`))
  for (const line of [...all.split('\n'), ...ofOne.split('\n')]) t.ok(line.length <= 100, line)
  t.end()
})
