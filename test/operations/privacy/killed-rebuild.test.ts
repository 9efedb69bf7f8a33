// A run that dies before each of its steps in turn: a rebuild from the volume alone makes one of a picture and its copy, and so does the next run.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { cases, throughAll } from '../fixtures/dying-sweep.ts'

const shown = ({ state, recordId, userId }: { state: string, recordId: string | null, userId: string | null }) => ({ state, recordId, userId })

// Of the others no step differs.
for (const one of cases.slice(0, 3)) {
  test(`${one.name}: a rebuild makes one of it, wherever the run died, and the next run finishes it`, async (t) => {
    const seen = new Set<string>()
    await throughAll(t, one, async ({ root, stored, rebuilt, sweep, verify, tellingFiles, rows }, { id, state, recordId, kind, ownerId }, killed) => {
      // What differs but in the rows is the same to a rebuild.
      const kinds = await Promise.all((await stored()).map(async (path) => path.endsWith('.json') ? (/"(metadataRemoved|originalId)": (null|[^n]).*/gm.exec(await readFile(join(root, path), 'utf8')) ?? [''])[0] : 'blob'))
      const volume = createHash('sha256').update(kinds.join()).digest('hex')
      if (seen.has(volume)) return
      seen.add(volume)
      const { blobs } = await rebuilt()
      t.strictSame(blobs.map(shown), [{ state, recordId, userId: kind === 'avatar' && state === 'live' ? ownerId : null }], killed)
      t.match(await sweep(), { left: { length: 0 }, moreLeft: 0 }, killed)
      t.strictSame([await tellingFiles(), (await stored()).length, (await verify()).findings], [0, 2, []], killed)
      t.match((await rows()).filter((row) => row.state !== 'swept'), [{ originalId: id, state, metadataRemoved: 'location,exif', avatar: kind === 'avatar' && state === 'live' ? { userId: ownerId } : null }], killed)
    })
    t.ok(seen.size > 4, `${seen.size} volumes`)
  })
}
