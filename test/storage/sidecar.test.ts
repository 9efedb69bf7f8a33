import { test } from 'tap'
import { decodeSidecar, encodeSidecar } from '../../src/storage/sidecar.ts'
import { sidecarFor } from './fixtures/volume.ts'

const sidecar = sidecarFor('hello', { kind: 'attachment', recordId: 'r', filename: 'Grüße 👋 \ud800.txt', visibility: 'private', aliases: ['/i/p/a.png'] })
const text = encodeSidecar(sidecar)

test('I9: a sidecar says all that it was given, to the character', (t) => {
  t.strictSame(decodeSidecar(text), sidecar)
  t.strictSame(decodeSidecar(Buffer.from(text).toString()), sidecar, 'also from bytes')
  t.match(text, /^\{\n "checksum": "sha256:[0-9a-f]{64}",\n/, 'readable, and proven by its first member')
  t.end()
})

test('the same sidecar is the same bytes, whoever put it together', (t) => {
  t.equal(encodeSidecar(Object.fromEntries(Object.entries(sidecar).reverse()) as typeof sidecar), text)
  t.end()
})

test('a sidecar that was changed by a single character is none', (t) => {
  for (const [from, to] of [['"private"', '"public"'], ['"ada"', '"eve"'], ['"size": 5', '"size": 6'], ['"live"', '"deleted"'], ['"revision": 1', '"revision": 2']] as const) {
    t.ok(text.includes(from), from)
    t.equal(decodeSidecar(text.replace(from, to)), undefined, to)
  }
  t.end()
})

test('a sidecar that was cut anywhere is none', (t) => {
  for (let length = 0; length < text.length - 2; length += 1) {
    if (decodeSidecar(text.slice(0, length)) !== undefined) t.fail(`cut at ${length}`)
  }
  t.equal(decodeSidecar(`${text}x`), undefined)
  t.equal(decodeSidecar(`\0${text}`), undefined)
  t.end()
})

test('a sidecar whose members were reordered, added, dropped or doubled is none', (t) => {
  const { checksum, id, ...others } = JSON.parse(text) as Record<string, unknown>
  t.strictSame(decodeSidecar(JSON.stringify(JSON.parse(text))), sidecar, 'spaces do not matter')
  t.equal(decodeSidecar(JSON.stringify({ checksum, ...others, id })), undefined)
  t.equal(decodeSidecar(JSON.stringify({ checksum, ...others })), undefined)
  t.equal(decodeSidecar(JSON.stringify({ ...JSON.parse(text) as object, extra: 1 })), undefined)
  t.equal(decodeSidecar(text.replace(/\}\s*$/, ', "visibility": "public" }')), undefined)
  t.end()
})

test('what is well summed but no sidecar of this format is none', (t) => {
  for (const wrong of [{ version: 2 }, { state: 'purging' }, { kind: 'video' }, { size: -1 }, { size: 1.5 }, { revision: 0 }, { aliases: [1] }, { ownerId: 7 }, { size: 1e300 }, { size: 2 ** 53 }, { epoch: 2 ** 53 - 1 }, { revision: 2 ** 53 + 1 }, { width: 2 ** 31 }, { height: 2 ** 31 }]) {
    t.equal(decodeSidecar(encodeSidecar({ ...sidecar, ...wrong } as never)), undefined, JSON.stringify(wrong))
  }
  for (const json of ['null', '1', '"x"', '[]', '{}', '{"checksum":null}']) t.equal(decodeSidecar(json), undefined, json)
  t.end()
})

test('a sidecar of the first version, which knew neither epochs nor sources, says that there were none', (t) => {
  const { epoch: _, source: __, sourceSha256: ___, ...old } = sidecar
  const text = encodeSidecar(old as never)
  t.notMatch(text, /epoch|source/)
  t.strictSame(decodeSidecar(text), { ...old, epoch: 0, source: null, sourceSha256: null })
  t.strictSame(decodeSidecar(encodeSidecar({ ...sidecar, epoch: 7, source: 'system-r:users/1', sourceSha256: 'f'.repeat(64) })), { ...sidecar, epoch: 7, source: 'system-r:users/1', sourceSha256: 'f'.repeat(64) })
  for (const wrong of [{ epoch: -1 }, { epoch: null }, { source: 1 }]) t.equal(decodeSidecar(encodeSidecar({ ...sidecar, ...wrong } as never)), undefined, JSON.stringify(wrong))
  t.end()
})
