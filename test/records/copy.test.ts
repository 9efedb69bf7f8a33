import { appendFile, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { test, type Test } from 'tap'
import { copyDatabase } from '../../src/records/copy.ts'
import { folderFor } from '../storage/fixtures/volume.ts'

async function written (t: Test) {
  const root = await folderFor(t)
  const file = join(root, 'a.sqlite')
  const folder = join(root, 'copies')
  await mkdir(folder)
  const connection = new BetterSqlite3(file)
  t.teardown(() => connection.close())
  connection.pragma('journal_mode = WAL')
  connection.exec('CREATE TABLE T (n); INSERT INTO T VALUES (1)')
  return { file, folder, connection }
}

function numbersIn (file: string): unknown[] {
  const copy = new BetterSqlite3(file)
  try {
    return copy.prepare('SELECT n FROM T').pluck().all()
  } finally {
    copy.close()
  }
}

test('the copy has what is only in the log yet', async (t) => {
  const { file, folder, connection } = await written(t)
  const before = numbersIn(await copyDatabase(file, folder, 0))
  connection.exec('INSERT INTO T VALUES (2)')
  t.strictSame([before, numbersIn(await copyDatabase(file, folder, 0))], [[1], [1, 2]])
})

test('one that was written meanwhile is made again, and none is given when that never ends', async (t) => {
  const { file, folder } = await written(t)
  const end = new AbortController()
  const writing = (async () => { while (!end.signal.aborted) await appendFile(`${file}-wal`, 'x') })()
  await t.rejects(copyDatabase(file, folder, 5), { message: /is written all the time, so no copy of it is whole/ })
  const copying = copyDatabase(file, folder, 20)
  end.abort()
  await writing
  t.strictSame(numbersIn(await copying), [1])
})

test('one that is not there, or cannot be looked at, is told', async (t) => {
  const { file, folder } = await written(t)
  await t.rejects(copyDatabase(join(file, 'x'), folder, 0), { code: 'ENOTDIR' })
  await rm(folder, { recursive: true })
  await t.rejects(copyDatabase(file, folder, 0), { code: 'ENOENT' })
})
