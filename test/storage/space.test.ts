import { test } from 'tap'
import { createSpace } from '../../src/storage/space.ts'
import { createFaults } from '../fixtures/faults.ts'
import { fileSystem } from '../../src/storage/fs.ts'

const gibibyte = 1024 ** 3

/** A file system of so many bytes. */
function setUp (disk: { size: number, free: number, files?: number, ffree?: number }, reserveBytes?: number) {
  const statfs = async () => ({ type: 0, bsize: 4096, blocks: disk.size / 4096, bfree: disk.free / 4096, bavail: disk.free / 4096, files: disk.files ?? 1000, ffree: disk.ffree ?? 500 })
  const space = createSpace({ fs: { ...fileSystem, statfs } as unknown as typeof fileSystem, folder: '/v', reserveBytes })
  return { space, disk }
}

const full = { code: 'STORAGE_FULL', statusCode: 507 }

test('the reserve is the smaller of 5 % and 2 GiB, or what was set', async (t) => {
  t.match(await setUp({ size: 10 * gibibyte, free: gibibyte }).space.measure(), { freeBytes: gibibyte, reserveBytes: 0.5 * gibibyte })
  t.match(await setUp({ size: 1000 * gibibyte, free: gibibyte }).space.measure(), { reserveBytes: 2 * gibibyte })
  t.match(await setUp({ size: 10 * gibibyte, free: gibibyte }, 4096).space.measure(), { reserveBytes: 4096 })
})

test('what would touch the reserve is refused to the byte', async (t) => {
  const { space } = setUp({ size: 10 * gibibyte, free: gibibyte }, 4096)
  await t.rejects(space.reserve(gibibyte - 4095), full);
  (await space.reserve(gibibyte - 4096)).release()
})

test('bytes that came are free space no longer, and are not counted twice', async (t) => {
  const disk = { size: 40960, free: 40960 }
  const { space } = setUp(disk, 0)
  const upload = await space.reserve(20480)
  await t.rejects(space.reserve(40960 - 20480 + 1), full)
  upload.consume(16384)
  disk.free -= 16384
  const other = await space.reserve(20480)
  await t.rejects(space.reserve(1), full)
  upload.consume(1_000_000)
  upload.release()
  other.release();
  (await space.reserve(disk.free)).release()
})

test('declared bytes in flight count, and count no more once released, however often', async (t) => {
  const { space } = setUp({ size: 40960, free: 40960 }, 0)
  const first = await space.reserve(30000)
  await t.rejects(space.reserve(20000), full, 'the refused one is not remembered')
  const second = await space.reserve(10960)
  await t.rejects(space.reserve(1), full)
  first.release()
  first.release()
  first.release()
  await t.rejects(space.reserve(30001), full);
  (await space.reserve(30000)).release()
  second.release()
  await space.reserve(40960)
})

test('of many at once exactly as many get space as there is', async (t) => {
  const { space } = setUp({ size: 40960, free: 40960 }, 960)
  const results = await Promise.allSettled(Array.from({ length: 100 }, () => space.reserve(4000)))
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 10)
  for (const result of results) if (result.status === 'fulfilled') result.value.release()
  await space.reserve(40000)
})

test('an upload of unknown length is let in until the reserve is touched', async (t) => {
  const { space, disk } = setUp({ size: 40960, free: 8192 }, 8192)
  await space.check()
  await space.reserve(0)
  disk.free = 4096
  await t.rejects(space.check(), full)
  await t.rejects(space.reserve(0), full)
  disk.free = 8192
  await space.check()
})

test('with DISK_RESERVE=0 the last byte may be taken', async (t) => {
  const { space, disk } = setUp({ size: 40960, free: 4096 }, 0)
  const { release } = await space.reserve(4096)
  await t.rejects(space.reserve(1), full)
  release()
  disk.free = 0
  await space.check()
  await t.rejects(space.reserve(1), full)
})

test('without inodes there is no room, but on file systems that do not count them', async (t) => {
  await t.rejects(setUp({ size: 40960, free: 40960, ffree: 15 }, 0).space.check(), full)
  await setUp({ size: 40960, free: 40960, ffree: 16 }, 0).space.check()
  await setUp({ size: 40960, free: 40960, files: 0, ffree: 0 }, 0).space.check()
})

test('a volume that cannot say is a failure, and takes no space away', async (t) => {
  const faults = createFaults()
  const space = createSpace({ fs: faults.fs, folder: '/', reserveBytes: 0 })
  const { freeBytes } = await space.measure()
  faults.inject({ on: 'statfs', errno: 'EIO' })
  await t.rejects(space.reserve(freeBytes), { code: 'STORAGE_UNAVAILABLE' });
  (await space.reserve(Math.floor(freeBytes / 2))).release()
})

test('before anything is refused, room is asked for: as much as is missing, and refused all the same if that was not enough', async (t) => {
  const { space, disk } = setUp({ size: 40960, free: 8192 }, 4096)
  const asked: number[] = []
  let freed = 0
  space.onFull(async (bytes) => {
    asked.push(bytes)
    disk.free += freed
  });
  (await space.reserve(4096)).release()
  t.strictSame(asked, [], 'there was room')
  await t.rejects(space.reserve(8192), full)
  freed = 4096
  const held = await space.reserve(8192)
  t.strictSame(asked, [4096, 4096])
  freed = 0
  await t.rejects(space.reserve(1), full)
  held.release()
  disk.free = 4096
  await space.check()
  t.strictSame(asked, [4096, 4096, 1])
})

test('without inodes room is asked for too, and who fails to make any is heard', async (t) => {
  const { space, disk } = setUp({ size: 40960, free: 40960, ffree: 0 }, 0)
  space.onFull(async (bytes) => {
    t.equal(bytes, 1)
    disk.ffree = 100
  })
  await space.check()
  disk.ffree = 0
  space.onFull(async () => { throw new Error('the cache cannot be read') })
  await t.rejects(space.check(), { message: 'the cache cannot be read' })
})

test('where there is ample room it is not looked for each time, and where there is less it is', async (t) => {
  for (const { free, ffree, looks } of [{ free: 100, ffree: 200_000, looks: 1 }, { free: 2, ffree: 200_000, looks: 3 }, { free: 100, ffree: 100_000, looks: 3 }]) {
    let count = 0
    const statfs = async () => {
      count += 1
      return { type: 0, bsize: 4096, blocks: 2 ** 40, bfree: 0, bavail: free * gibibyte / 4096, files: 10 ** 9, ffree }
    }
    const space = createSpace({ fs: { ...fileSystem, statfs } as unknown as typeof fileSystem, folder: '/v', reserveBytes: 0 })
    for (let upload = 0; upload < 2; upload += 1) (await space.reserve(1000)).release()
    await space.check()
    t.equal(count, looks, `${free} GiB and ${ffree} files`)
    await t.rejects(space.reserve(free * gibibyte + 1), full, 'also right afterwards')
  }
})
