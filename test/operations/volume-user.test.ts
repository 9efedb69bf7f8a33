import { test } from 'tap'
import { refuseForeignRoot } from '../../src/operations/volume-user.ts'
import { fileSystem } from '../../src/storage/fs.ts'
import { temporaryFolder } from '../helper.ts'

const owned = (uid: number) => ({ ...fileSystem, stat: (async () => ({ uid, gid: uid + 1 })) as never })

test('root does not work on the volume of another user, and is told as whom to', async (t) => {
  await t.rejects(refuseForeignRoot(owned(10001), '/uploads', 0), { name: 'Refusal', message: /belongs to the user 10001.*sudo -u '#10001' -g '#10002'/ })
})

test('root works on a volume of its own or on none yet, and any other user finds out by trying', async (t) => {
  const folder = await temporaryFolder(t)
  await refuseForeignRoot(owned(0), folder, 0)
  await refuseForeignRoot(fileSystem, `${folder}/none`, 0)
  await refuseForeignRoot(owned(10001), folder, 10001)
  t.pass('none of them is refused')
})
