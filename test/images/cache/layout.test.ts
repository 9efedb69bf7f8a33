import { test } from 'tap'
import { blobFolder, entryPath, isBlobFolder, isShard, isTemporary, parsePlace, placeOf, temporaryPath } from '../../../src/images/cache/layout.ts'
import { variantName } from '../../../src/images/spec.ts'
import { asBlobId, newBlobId, type BlobId } from '../../../src/storage/ids.ts'

const id = asBlobId('01890a5d-ac96-774b-bcce-b302099a8057') as BlobId

test('a variant lies below the last two characters of the id, and the id', (t) => {
  t.equal(entryPath('/c', placeOf(id, 'v1-square-64.webp')), '/c/57/01890a5d-ac96-774b-bcce-b302099a8057/v1-square-64.webp')
  t.equal(blobFolder('/c', id), '/c/57/01890a5d-ac96-774b-bcce-b302099a8057')
  t.end()
})

test('no name leads elsewhere; all that variants have are taken', (t) => {
  for (const name of ['', '.', '..', '../x', 'a/b', 'a\\b', '.hidden', 'A', 'a\0', 'a\n', 'ä', 'a'.repeat(101), '-a']) t.throws(() => placeOf(id, name), TypeError, JSON.stringify(name))
  const crop = { x: 0.1234, y: 0.1234, width: 0.5678, height: 0.5678 }
  const name = variantName({ shape: 'square', size: 1024, format: 'avif', isAnimated: true, crop })
  t.strictSame(placeOf(id, name), { blobId: id, name })
  t.end()
})

test('what a gateway made is told from what it did not', (t) => {
  t.ok(isShard('0f'))
  for (const name of ['0', '0F', '000', 'gg', 'CACHEDIR.TAG']) t.notOk(isShard(name), name)
  t.ok(isBlobFolder('57', id))
  t.notOk(isBlobFolder('58', id))
  t.notOk(isBlobFolder('57', 'something57'))
  t.strictSame(parsePlace(id, 'a.webp'), { blobId: id, name: 'a.webp' })
  t.equal(parsePlace('something57', 'a.webp'), undefined)
  t.equal(parsePlace(id, '.a.webp'), undefined)
  t.end()
})

test('half-written files are known by their names, and whose they are', (t) => {
  const name = temporaryPath('/c', id).slice('/c/'.length)
  t.ok(isTemporary(name))
  t.ok(isTemporary(name, id))
  t.notOk(isTemporary(name, newBlobId()))
  t.not(temporaryPath('/c', id), temporaryPath('/c', id))
  for (const other of ['.part', `${id}.part`, name.slice(1), `${name}.part`, 'x'.repeat(73) + '.part', 'CACHEDIR.TAG']) t.notOk(isTemporary(other), other)
  t.end()
})
