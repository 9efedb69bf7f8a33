import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { fileSystem } from '../../../src/storage/fs.ts'
import { findOwnFiles } from '../../../src/storage/volume/own-files.ts'
import { folderFor } from '../fixtures/volume.ts'

const nothingElse = { jwtPublicKeyFile: undefined, readThroughDirs: [] }

test('database, keys and ledger are the gateway\'s own wherever they lie on the volume', async (t) => {
  const root = await folderFor(t)
  const isOwn = await findOwnFiles(fileSystem, { root, databaseFile: join(root, 'data/gateway.sqlite'), erasureLedger: join(root, 'avatars/2026/ledger'), ...nothingElse })
  for (const name of ['', '-wal', '-shm', '-journal', '.rebuild-1', '.rebuild-1-wal', '.damaged-1', '.damaged-1-wal']) t.ok(isOwn(`data/gateway.sqlite${name}`), name)
  for (const path of ['data', 'data/jwt.secret', 'data/link.secret', 'data/erasure-signing.jwk', 'avatars/2026/ledger']) t.ok(isOwn(path), path)
  for (const path of ['dat', 'notes', 'jwt.secret', 'data/gateway.sqlite.bak', 'data/gateway.sqlite-wal2', 'data/other', 'avatars/2026/ledger2']) t.notOk(isOwn(path), path)
})

test('also where the volume or the database is reached through links', async (t) => {
  const [root, elsewhere] = [await folderFor(t), await folderFor(t)]
  await symlink(root, join(elsewhere, 'volume'))
  await writeFile(join(root, 'real.sqlite'), '')
  await symlink(join(root, 'real.sqlite'), join(elsewhere, 'named.sqlite'))
  await mkdir(join(elsewhere, 'keys'))
  const named = async (volume: string, databaseFile: string) => findOwnFiles(fileSystem, { root: volume, databaseFile, erasureLedger: undefined, ...nothingElse })
  for (const isOwn of [await named(root, join(elsewhere, 'named.sqlite')), await named(join(elsewhere, 'volume'), join(root, 'real.sqlite')), await named(root, join(elsewhere, 'volume/real.sqlite'))]) {
    t.ok(isOwn('real.sqlite'))
    t.ok(isOwn('real.sqlite-wal'))
    t.notOk(isOwn('volume'))
  }
  t.ok((await named(root, join(elsewhere, 'volume/real.sqlite')))('jwt.secret'))
  t.ok((await named(root, join(root, '..x.sqlite')))('..x.sqlite'))
})

test('so are the key that tokens are checked with, and older systems\' folders with all that is in them', async (t) => {
  const [root, elsewhere] = [await folderFor(t), await folderFor(t)]
  await mkdir(join(root, 'real/i'), { recursive: true })
  await symlink(join(root, 'real'), join(elsewhere, 'linked'))
  const isOwn = await findOwnFiles(fileSystem, {
    root, databaseFile: join(elsewhere, 'gateway.sqlite'), erasureLedger: undefined,
    jwtPublicKeyFile: join(root, 'keys/identity.pem'), readThroughDirs: [join(root, 'old/public'), join(elsewhere, 'linked'), root, elsewhere],
  })
  for (const path of ['keys', 'keys/identity.pem', 'old', 'old/public', 'old/public/i/p/a.png', 'real', 'real/i']) t.ok(isOwn(path), path)
  for (const path of ['identity.pem', 'keys/identity.pem.bak', 'keys/other', 'old/private', 'old/public2', 'notes']) t.notOk(isOwn(path), path)
})
