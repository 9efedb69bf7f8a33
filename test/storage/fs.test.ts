import { test } from 'tap'
import { homeName, homePlace } from '../../src/storage/fs.ts'
import { createMemoryObjects } from './objects/memory.ts'

test('a home is named by its folder, or by its object store', (t) => {
  const objects = createMemoryObjects()
  t.equal(homePlace({}, '/uploads'), '/uploads')
  t.equal(homePlace({ objects }, '/uploads'), objects.name)
  t.equal(homeName({}, '/uploads'), 'UPLOADS_DIR /uploads')
  t.equal(homeName({ objects }, '/uploads'), `STORAGE_URL ${objects.name}`)
  t.end()
})
