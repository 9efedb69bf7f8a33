import { join } from 'node:path'
import t from 'tap'
import { confirm, erasedText, verifiedText } from '../../src/commands/erase.ts'
import { build, temporaryFolder } from '../helper.ts'
import { commandLine } from './fixtures/command-line.ts'

t.test('it asks, checks and prints', async (t) => {
  const { app, folder } = await build(t)
  await app.close()
  const run = (...args: string[]) => commandLine(folder, ['erase', ...args])
  t.match(run('--owner', 'ada'), { status: 1, stdout: '', stderr: /Nothing was erased: there is no terminal.*--yes/ })
  t.match(run(), { status: 1, stderr: /--owner ID/ })
  t.match(run('--owner', 'ada', '--verify', 'x'), { status: 2 })
  const receipt = join(await temporaryFolder(t), 'ada.jws')
  t.match(run('--owner', 'ada', '--yes', '--receipt', receipt), { status: 3, stdout: /^Nobody with this id had anything here: is it spelt right\?.*\nErased at .*: 0 avatars, 0 attachments; 0 B\.\nThe receipt is in .*ada\.jws\.\n$/ })
  t.match(run('--owner', 'ada', '--yes', '--receipt', receipt), { status: 3, stdout: /^Nobody with this id had anything here.*\nThis user was erased already at .*, and there was nothing of theirs since\. The receipt names 0 avatars, 0 attachments; 0 B\.\n/ })
  t.match(run('--owner', 'bob', '--yes', '--receipt', receipt), { status: 1, stderr: /the receipt of another user/ })
  t.match(run('--verify', receipt), { status: 0, stdout: /^The receipt is genuine: 0 files.*\n.*erasures\.ndjson has the erasure\.\nNothing of them is/ })
  t.match(JSON.parse(run('--public-key', '--json').stdout), { kty: 'OKP', crv: 'Ed25519' })
  t.match(run('--help'), { status: 0, stdout: /Example:\n {2}upload-gateway erase --owner ada/ })
})

const erased = { id: 'e', at: 'now', owner: 'o', epoch: 1, blobs: [{ id: 'b', content: 'c' }], counts: { avatars: 1, attachments: 1, bytes: 2048, accounts: 1 } }

t.test('it is done only when the answer is yes', async (t) => {
  const questions: string[] = []
  const answering = (answer: boolean) => async (question: string) => {
    questions.push(question)
    return answer
  }
  await confirm('ada', answering(true))
  await t.rejects(confirm('ada', answering(false)), { name: 'Refusal', message: 'Nothing was erased.' })
  t.match(questions, [/^Erase everything that ada uploaded/, /ada/])
})

t.test('what was erased is said in a sentence, with the receipt where no file was named', async (t) => {
  t.equal(erasedText({ erased, receipt: 'the.jws', erasedBefore: null, hadAnything: true, findings: [] }, undefined), 'Erased at now: 1 avatar, 1 attachment, the account; 2 KiB.\nReceipt:\nthe.jws')
})

t.test('run once more, it says when the user was erased, and what the receipt names', async (t) => {
  t.equal(erasedText({ erased, receipt: 'the.jws', erasedBefore: 'yesterday', hadAnything: true, findings: [] }, 'ada.jws'), 'This user was erased already at yesterday, and there was nothing of theirs since. The receipt names 1 avatar, 1 attachment, the account; 2 KiB.\nThe receipt is in ada.jws.')
})

t.test('what is wrong comes first', async (t) => {
  const finding = { problem: 'erased-present', path: 'avatars/x', detail: 'It is there.', mend: 'Erase it.' } as const
  t.match(erasedText({ erased, receipt: 'the.jws', erasedBefore: null, hadAnything: true, findings: [finding] }, 'file'), /^erased-present {2}avatars\/x\n {2}It is there\.\n {2}Erase it\.\n\nErased at now/)
  t.equal(verifiedText({ erased, places: [{ path: 'here', hasEntry: false }], findings: [finding] }), 'erased-present  avatars/x\n  It is there.\n  Erase it.\n\nThe receipt is genuine: 1 file erased at now.\nhere does not have the erasure.\n1 finding.')
})
