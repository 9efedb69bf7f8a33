// The power goes while uploads come in: the file system stops at once, what was not written is lost. Every acknowledged upload survives (promise 1).
import { randomInt } from 'node:crypto'
import t from 'tap'
import { audit, partialFiles } from './audit.ts'
import { start } from './gateway.ts'
import { disk, mount, needs, pause, run, until } from './machine.ts'
import { createUploaders, lost, type Acknowledged } from './uploaders.ts'

const cycles = 6
const parallel = 8
const sweeping = { SWEEP_INTERVAL_SECONDS: '1', SWEEP_GRACE_SECONDS: '0' }

for (const type of ['ext4', 'xfs'] as const) {
  t.test(`${cycles} power cuts on ${type}`, { timeout: 300_000 }, async (t) => {
    await needs('mount', 'umount', `mkfs.${type}`, 'xfs_io')
    const { folder, image } = await disk(t, type, { megabytes: 2048 })
    const uploaders = createUploaders({ maxSize: 1024 ** 2 })
    const held: Acknowledged[] = []
    let gateway = await start(t, folder, sweeping)

    for (let cycle = 1; cycle <= cycles; cycle += 1) {
      const before = uploaders.acknowledged.length
      let isCut = false
      const uploading = uploaders.upload(gateway, parallel, () => isCut)
      await until('uploads are acknowledged', () => uploaders.acknowledged.length > before + parallel)
      await pause(randomInt(1200))
      isCut = true
      // Once the power is gone no answer leaves. Here some do: while it shuts down, ext4 calls an fsync done whose transaction it has just given up.
      held.push(...uploaders.acknowledged.slice(before))
      await run('xfs_io', '-x', '-c', 'shutdown', folder)
      await gateway.kill()
      await uploading
      await run('umount', folder)
      await mount(t, folder, '-o', 'loop', image)

      gateway = await start(t, folder, sweeping)
      t.same(await lost(gateway, held), [], `cycle ${cycle}: all of ${held.length} are there, byte by byte`)
      t.same(audit(folder).broken, [])
    }

    await until('no file is without a row', () => audit(folder, { isHashed: false }).orphans.length === 0)
    t.same(partialFiles(folder, uploaders.sent), [])
    t.comment(`${type}: ${cycles} power cuts, ${held.length} acknowledged of ${uploaders.sent.size} sent`)
  })
}
