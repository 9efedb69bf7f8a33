import { setImmediate } from 'node:timers/promises'
import { test } from 'tap'
import { createRoom, type Room } from '../../../src/images/cache/room.ts'

type Piece = { id: number, bytes: number, usedAtMs: number }

const second = 1000

/** A disk, with rooms on it that put pieces there; removing and walking give others a turn. */
function setUp ({ maxBytes = 1600, isStuck = () => false }: { maxBytes?: number, isStuck?: (piece: Piece) => boolean } = {}) {
  const disk = new Map<number, Piece>()
  const clock = { ms: 1_000_000_000_000 }
  const counts = { walks: 0, removals: 0 }
  let nextId = 0
  /** Waited for before a count, and after a removal. */
  const gates: Array<Promise<void>> = []
  const removed: Array<Promise<void>> = []

  const open = (isKeeper = () => true): Room => createRoom<Piece>({
    maxBytes,
    isKeeper,
    now: () => new Date(clock.ms),
    async * walk () {
      counts.walks += 1
      await gates.shift()
      const found = [...disk.values()].map((piece) => ({ ...piece }))
      for (let at = 0; at < found.length; at += 10) {
        await setImmediate()
        yield found.slice(at, at + 10)
      }
    },
    async remove (piece) {
      await setImmediate()
      const there = disk.get(piece.id)
      if (there === undefined) return true
      if (there.usedAtMs !== piece.usedAtMs || isStuck(there)) return false
      counts.removals += 1
      disk.delete(piece.id)
      await removed.shift()
      return true
    },
  })

  async function put (room: Room, bytes: number): Promise<Piece | undefined> {
    clock.ms += second
    const taken = await room.take(bytes)
    if (taken === undefined) return undefined
    await setImmediate()
    const piece = { id: nextId++, bytes, usedAtMs: clock.ms }
    disk.set(piece.id, piece)
    taken(true)
    return piece
  }

  const taken = () => [...disk.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  return { disk, clock, counts, open, put, taken, gates, removed }
}

test('the budget holds at any time, and is made use of', async (t) => {
  const { open, put, taken } = setUp()
  const room = open()
  let most = 0
  for (let at = 0; at < 3000; at += 1) {
    const bytes = (at * 7919) % 100 + 1
    t.ok(await put(room, bytes))
    most = Math.max(most, taken())
    t.ok(taken() <= 1500)
    t.ok(room.usedBytes >= taken())
  }
  t.ok(most > 1400, `${most}`)
  await room.close()
})

test('it holds for two that share the disk, and nearly for four', async (t) => {
  for (const [count, limit] of [[2, 1600], [4, 1800]] as const) {
    const { open, put, taken } = setUp()
    const rooms = Array.from({ length: count }, open)
    let most = 0
    // Each goes at its own pace.
    await Promise.all(rooms.map(async (room, which) => {
      for (let at = 0; at < 600; at += 1) {
        await put(room, (at * 7919 + which) % 100 + 1)
        most = Math.max(most, taken())
        if (at % (which + 2) === 0) await setImmediate()
      }
    }))
    t.ok(most <= limit, `${count}: ${most}`)
    t.ok(most > 1200, `${count}: ${most}`)
    for (const room of rooms) await room.close()
  }
})

test('what was used longest ago goes first; what was used since it was counted stays', async (t) => {
  const { disk, clock, open, put } = setUp()
  const room = open()
  const pieces: Piece[] = []
  for (let at = 0; at < 15; at += 1) pieces.push(await put(room, 100) as Piece)
  await room.count()
  clock.ms += second
  ;(disk.get(0) as Piece).usedAtMs = clock.ms
  await put(room, 100)
  t.strictSame([...disk.keys()].slice(0, 3), [0, 2, 3], 'not the first, but the second')
  for (let at = 0; at < 13; at += 1) await put(room, 100)
  t.ok(disk.has(0), 'counted anew, it is among the last')
  await put(room, 100)
  t.notOk(disk.has(0))
  await room.close()
})

test('the order is that of the last use over minutes and years, and within a second', async (t) => {
  const { disk, open } = setUp({ maxBytes: 160_000 })
  const times = Array.from({ length: 500 }, (_, at) => (at * 7919) % 500).map((at) => at < 100 ? at : at < 300 ? 1e12 + at * 7 : 1.5e12 + at * 10 ** 8)
  for (const [id, usedAtMs] of times.entries()) disk.set(id, { id, bytes: 100, usedAtMs })
  const room = open()
  for (let left = 499; left >= 0; left -= 1) {
    t.equal(await room.shrink(left * 100), true)
    t.equal(disk.size, left)
    const newest = [...times].sort((one, other) => one - other).slice(500 - left)
    t.strictSame([...disk.values()].map(({ usedAtMs }) => usedAtMs).sort((one, other) => one - other), newest)
  }
  await room.close()
})

test('shrinking goes as far as it is told, whatever was counted before', async (t) => {
  const { disk, counts, open, put, taken } = setUp()
  const room = open()
  for (let at = 0; at < 14; at += 1) await put(room, 100)
  await room.count()
  await put(room, 100)
  counts.walks = 0
  t.equal(await room.shrink(1400), true)
  t.equal(counts.walks, 0, 'a little is known without counting')
  t.equal(await room.shrink(300), true)
  t.equal(taken(), 300)
  t.strictSame([...disk.keys()], [12, 13, 14])
  t.equal(await room.shrink(0), true)
  t.equal(room.usedBytes, 0)
  await room.close()
})

test('a start with more than the budget comes down to it by itself', async (t) => {
  const { disk, open, taken } = setUp()
  for (let id = 0; id < 500; id += 1) disk.set(id, { id, bytes: 10, usedAtMs: id })
  const room = open()
  await room.count()
  while (taken() > 1500) await setImmediate()
  t.strictSame([...disk.keys()].at(0), 350)
  await room.close()
})

test('where nothing can be removed, nothing more is taken, nor looked for with every put', async (t) => {
  let isStuck = true
  const { clock, counts, open, put, taken } = setUp({ isStuck: () => isStuck })
  const room = open()
  for (let at = 0; at < 15; at += 1) t.ok(await put(room, 100))
  t.equal(await put(room, 100), undefined)
  const { walks } = counts
  for (let at = 0; at < 50; at += 1) t.equal(await put(room, 100), undefined)
  t.ok(counts.walks <= walks + 1)
  t.equal(await room.shrink(0), false)
  isStuck = false
  clock.ms += 60_000
  t.ok(await put(room, 100), 'after a minute it is tried again')
  t.ok(taken() <= 1500)
  await room.close()
})

test('nothing takes more than a sixteenth; and of no budget nobody gets any', async (t) => {
  const { open, put } = setUp()
  const room = open()
  t.equal(await put(room, 101), undefined)
  t.ok(await put(room, 100))
  t.equal(await setUp({ maxBytes: 0 }).open().take(1), undefined)
  await room.close()
})

test('what was not used after all can be taken again', async (t) => {
  const { counts, open, put } = setUp()
  const room = open()
  for (let at = 0; at < 14; at += 1) await put(room, 100)
  for (let at = 0; at < 50; at += 1) (await room.take(100))?.(false)
  t.equal(room.usedBytes, 1400)
  t.ok(await put(room, 100))
  t.equal(counts.removals, 0)
  await room.close()
})

test('what is on its way to the disk while it is counted is counted too', async (t) => {
  const { open, put } = setUp()
  const room = open()
  await put(room, 10)
  const taken = await room.take(20)
  await room.count()
  t.equal(room.usedBytes, 30)
  taken?.(false)
  t.equal(room.usedBytes, 10)
  await room.close()
})

test('what is removed while it is counted is not taken off twice', async (t) => {
  const { counts, removed, open, put, taken } = setUp()
  const room = open()
  for (let at = 0; at < 15; at += 1) await put(room, 100)
  await room.count()
  const gate = Promise.withResolvers<void>()
  removed.push(gate.promise)
  const shrinking = room.shrink(1400)
  while (counts.removals === 0) await setImmediate()
  await room.count()
  gate.resolve()
  await shrinking
  t.equal(taken(), 1400)
  t.equal(room.usedBytes, 1400)
  await room.close()
})

test('those who ask at the same time share a count; a few puts do not wait for it', async (t) => {
  const { counts, gates, open, put } = setUp()
  const gate = Promise.withResolvers<void>()
  gates.push(gate.promise)
  const room = open()
  const counted = Promise.all([room.count(), room.count()])
  t.ok(await put(room, 100))
  let isTaken = false
  const next = put(room, 100).then((piece) => { isTaken = piece !== undefined })
  for (let at = 0; at < 10; at += 1) await setImmediate()
  t.equal(isTaken, false, 'more than a sixteenth, uncounted')
  gate.resolve()
  await Promise.all([counted, next])
  t.equal(isTaken, true)
  t.ok(counts.walks <= 2)
  await room.close()
})

test('closing ends counting and removing, and takes no more', async (t) => {
  const { disk, counts, gates, open } = setUp()
  for (let id = 0; id < 5000; id += 1) disk.set(id, { id, bytes: 10, usedAtMs: id })
  const gate = Promise.withResolvers<void>()
  gates.push(Promise.resolve(), gate.promise)
  const room = open()
  await room.count()
  await setImmediate()
  const counting = room.count()
  const closed = room.close()
  gate.resolve()
  await Promise.all([closed, counting])
  const { removals } = counts
  t.ok(removals < 100)
  for (let at = 0; at < 5; at += 1) await setImmediate()
  t.equal(counts.removals, removals)
  t.equal(await room.take(1), undefined)
})

test('of several, one keeps the budget: the others put pieces there and take none away', async (t) => {
  const { disk, open, put, taken } = setUp()
  const keeper = open()
  const others = [open(() => false), open(() => false)]
  await Promise.all([keeper, ...others].map((room) => room.count()))
  const kept = []
  for (let round = 0; round < 200; round += 1) {
    for (const room of others) {
      const piece = await put(room, 10)
      if (piece === undefined) continue
      kept.push(piece.id)
      keeper.note(10)
      await keeper.shrink(1500)
    }
    t.ok(taken() <= 1600 + 100, `${taken()} bytes`)
  }
  t.equal(kept.length, 400, 'nobody has to wait for the keeper')
  t.equal(disk.has(0), false, 'what was used longest ago went')
  await Promise.all([keeper, ...others].map((room) => room.close()))
})

test('where nobody keeps the budget, the others put no more there than it allows, and do not count each time', async (t) => {
  const { counts, clock, open, put, taken } = setUp()
  const room = open(() => false)
  await room.count()
  for (let round = 0; round < 300; round += 1) await put(room, 10)
  t.equal(taken(), 1600)
  t.equal(counts.removals, 0)
  const { walks } = counts
  for (let round = 0; round < 20; round += 1) t.equal(await put(room, 10), undefined)
  t.equal(counts.walks, walks)
  room.note(10)
  t.equal(room.usedBytes, 1600, 'what others put there is the keeper\'s business')
  clock.ms += 60_000
  await put(room, 10)
  t.equal(counts.walks, walks + 1)
  await room.close()
})

test('the keeper takes away for what others have put there, and counts when that is much', async (t) => {
  const { counts, disk, clock, open, put, taken } = setUp()
  const room = open()
  await room.count()
  for (let round = 0; round < 150; round += 1) await put(room, 10)
  const { walks } = counts
  for (let round = 0; round < 50; round += 1) {
    clock.ms += second
    disk.set(10_000 + round, { id: 10_000 + round, bytes: 10, usedAtMs: clock.ms })
    room.note(10)
    for (let turn = 0; turn < 50; turn += 1) await setImmediate()
  }
  t.ok(counts.walks > walks)
  t.ok(taken() <= 1500, `${taken()} bytes`)
  await room.close()
  room.note(10)
})
