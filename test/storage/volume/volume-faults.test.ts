// Every step of publish, writeSidecar and remove fails once, with every errno that a disk knows.
import { randomBytes, randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { test } from 'tap'
import { free } from '../../../src/storage/free.ts'
import type { Sidecar } from '../../../src/storage/sidecar.ts'
import { blobPath } from '../../../src/storage/volume/layout.ts'
import type { Faults, Operation } from '../../fixtures/faults.ts'
import { openBelow, openVolume, publish, sidecarFor, stage, textOf } from '../fixtures/volume.ts'

const errnos = ['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'EROFS'] as const
const codeOf = (errno: string) => errno === 'ENOSPC' || errno === 'EDQUOT' ? 'STORAGE_FULL' : 'STORAGE_UNAVAILABLE'

/** Each call that `work` made, as a fault of that very call. */
const stepsOf = ({ calls }: Faults): Array<{ on: Operation, nth: number }> =>
  calls.map(({ on }, index) => ({ on, nth: calls.slice(0, index + 1).filter((call) => call.on === on).length }))

test('I2, I5: whichever step of publishing fails, nothing is visible, staged or open, and the next upload works', async (t) => {
  const first = await openVolume(t)
  const staged = await stage(first.store, 'hello')
  first.faults.heal()
  await first.store.publish(staged, sidecarFor('hello'))
  const steps = stepsOf(first.faults)
  t.ok(steps.length >= 25, `${steps.length} steps`)

  for (const { on, nth } of steps) {
    const { root, store, faults, files, staging } = await openVolume(t)
    for (const errno of errnos) {
      const label = `${errno} on ${on} ${nth}`
      const upload = await stage(store, 'hello')
      faults.heal()
      faults.inject({ on, nth, errno })
      const error: unknown = await store.publish(upload, sidecarFor('hello')).then(() => undefined, (reason: unknown) => reason)
      // Once its folders are there, an upload has fewer steps.
      if (faults.count(on) >= nth) t.match(error, { code: codeOf(errno) }, label)
      if (error === undefined) continue
      t.strictSame(await files(), [], label)
      t.strictSame(openBelow(root), [], label)
      t.strictSame(await staging.usage(), { files: 0, bytes: 0 }, label)
      await upload.discard()
    }
    faults.heal()
    const sidecar = await publish(store, 'again')
    t.equal(await textOf(await store.read(sidecar)), 'again')
    await staging.close()
  }
})

test('I2: a rename whose answer was lost leaves nothing visible either', async (t) => {
  for (const nth of [1, 2]) {
    const { store, faults, files } = await openVolume(t)
    faults.inject({ on: 'rename', nth, errno: 'EIO', isDone: true })
    await t.rejects(publish(store, 'hello'), { code: 'STORAGE_UNAVAILABLE' })
    t.strictSame(await files(), [])
  }
})

test('I6: an upload whose fsync fails is not tried again, and readiness is gone until three probes succeed', async (t) => {
  for (const nth of [1, 2, 3]) {
    const { store, faults, files, probe } = await openVolume(t)
    const upload = await stage(store, 'hello')
    faults.inject({ on: 'sync', nth, errno: 'EIO' })
    await t.rejects(store.publish(upload, sidecarFor('hello')), { code: 'STORAGE_UNAVAILABLE' })
    t.equal(new Set(faults.calls.filter(({ on }) => on === 'sync').map(({ path }) => path)).size, faults.count('sync'), 'no file is fsynced twice')
    t.strictSame(await files(), [])
    await t.rejects(probe.check())
    await t.rejects(probe.check())
    await probe.check()
  }
})

test('I6: a full disk at fsync never makes the volume unready', async (t) => {
  const { store, faults, files, probe } = await openVolume(t)
  faults.inject({ on: 'sync', errno: 'ENOSPC' })
  await t.rejects(publish(store, 'hello'), { code: 'STORAGE_FULL' })
  await probe.check()
  t.strictSame(await files(), [])
})

test('I4: whichever step of writing a sidecar fails, it is told, and what is there is whole', async (t) => {
  const first = await openVolume(t)
  const sidecar = await publish(first.store, 'hello')
  const next: Sidecar = { ...sidecar, state: 'deleted', revision: 2 }
  first.faults.heal()
  await first.store.writeSidecar(next)
  const steps = stepsOf(first.faults)
  t.ok(steps.length >= 8)

  const { root, store, faults, files } = first
  const names = await files()
  for (const { on, nth } of steps) {
    for (const errno of errnos) {
      const label = `${errno} on ${on} ${nth}`
      faults.heal()
      await store.writeSidecar(sidecar)
      faults.heal()
      faults.inject({ on, nth, errno })
      await t.rejects(store.writeSidecar(next), { code: codeOf(errno) }, label)
      const left = await store.readSidecar(sidecar)
      t.ok(left?.revision === 1 || left?.revision === 2, label)
      t.strictSame(await files(), names, label)
      t.strictSame(openBelow(root), [], label)
      t.equal(await readFile(blobPath(root, sidecar), 'utf8'), 'hello')
    }
  }
})

test('I10: whichever step of removing fails, it is told, and removing again finishes it', async (t) => {
  for (const nth of [1, 2]) {
    for (const errno of errnos) {
      const { store, faults, files } = await openVolume(t)
      const sidecar = await publish(store, 'hello')
      faults.inject({ on: 'unlink', nth, errno })
      await t.rejects(store.remove(sidecar), { code: codeOf(errno) })
      t.equal((await files()).length, nth === 1 ? 2 : 1, 'the blob never goes before its sidecar')
      await store.remove(sidecar)
      t.strictSame(await files(), [])
    }
  }
})

test('when taking back fails too, the true error is told, and what is left is for the sweep', async (t) => {
  const { root, store, faults } = await openVolume(t)
  faults.inject({ on: 'rename', nth: 2, errno: 'EIO' }, { on: 'unlink', errno: 'EROFS', forever: true })
  await t.rejects(publish(store, 'hello'), { code: 'STORAGE_UNAVAILABLE', cause: { code: 'EIO' } })
  t.strictSame(openBelow(root), [])
})

test('of 64 uploads at once every other fails at a call of its own: they alone, and the rest are whole', async (t) => {
  const { root, store, faults, files, staging } = await openVolume(t)
  for (const fault of [{ on: 'writev', errno: 'EIO' }, { on: 'writev', errno: 'ENOSPC', nth: 2 }, { on: 'writev', short: 1000, nth: 3 }, { on: 'sync', errno: 'EIO' }] as const) {
    const uploads = await Promise.all(Array.from({ length: 64 }, async (_, index) => {
      const bytes = randomBytes(randomInt(2_500_000, 3_500_000))
      const staged = await store.stage()
      if (index % 2 === 1) faults.inject({ ...fault, path: new RegExp(staged.path) })
      return { bytes, staged, sidecar: sidecarFor(bytes) }
    }))
    const outcomes = await Promise.allSettled(uploads.map(async ({ bytes, staged, sidecar }) => {
      try {
        for (let at = 0; at < bytes.length;) {
          const chunk = Buffer.from(bytes.subarray(at, at += randomInt(1, 200_000)))
          await staged.write(chunk)
          free(chunk)
        }
        const { sha256 } = await staged.finish()
        t.equal(sha256, sidecar.sha256)
        await store.publish(staged, sidecar)
      } finally {
        await staged.discard()
      }
    }))
    t.ok(outcomes.every(({ status }, index) => status === ('errno' in fault && index % 2 === 1 ? 'rejected' : 'fulfilled')), JSON.stringify(fault))
    for (const [index, { sidecar, bytes }] of uploads.entries()) {
      if (outcomes[index]?.status === 'fulfilled') t.ok(bytes.equals(await readFile(blobPath(root, sidecar))))
    }
    t.equal((await files()).length, 2 * outcomes.filter(({ status }) => status === 'fulfilled').length)
    t.strictSame(openBelow(root), [])
    t.strictSame(await staging.usage(), { files: 0, bytes: 0 })
    for (const { sidecar } of uploads) await store.remove(sidecar)
    faults.heal()
  }
})

test('I6: an fsync that many wait for fails those who came before it ended, with nothing left of them; the next are kept', async (t) => {
  const { root, store, faults, files, probe } = await openVolume(t)
  await publish(store, 'first')
  const staged = await Promise.all(Array.from({ length: 20 }, (_, index) => stage(store, `upload ${index}`)))
  faults.inject({ on: 'sync', path: /\/\d\d$/, errno: 'EIO', before: () => new Promise((resolve) => setTimeout(resolve, 200)) })
  const outcomes = await Promise.allSettled(staged.map((file, index) => store.publish(file, sidecarFor(`upload ${index}`))))
  t.ok(outcomes.every((outcome) => outcome.status === 'rejected'))
  t.equal((await files()).length, 2)
  t.strictSame(openBelow(root), [])
  await t.rejects(probe.check())
  await publish(store, 'last')
})
