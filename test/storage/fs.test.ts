import { test } from 'tap'
import { folderName, homeName, homePlace, homeRemedy } from '../../src/storage/fs.ts'
import { createMemoryObjects } from './objects/memory.ts'

test('a home is named by its folder, or by its object store', (t) => {
  const objects = createMemoryObjects()
  t.equal(homePlace({}, '/uploads'), '/uploads')
  t.equal(homePlace({ objects }, '/uploads'), objects.name)
  t.equal(homeName({}, '/uploads'), 'UPLOADS_DIR /uploads')
  t.equal(homeName({ objects }, '/uploads'), `STORAGE_URL ${objects.name}`)
  t.equal(folderName({ objects }, '/uploads'), 'UPLOADS_DIR /uploads', 'beside a store there is a folder too')
  t.equal(homeRemedy({ objects }, 'it'), 'Set STORAGE_URL to where it is')
  t.end()
})

test('one that an option names is named by that', (t) => {
  const objects = createMemoryObjects()
  t.equal(homeName({ setting: '--to' }, '/uploads'), '--to /uploads')
  t.equal(folderName({ setting: '--to' }, '/uploads'), '--to /uploads')
  t.equal(homeName({ objects, setting: '--to' }, '/uploads'), `--to ${objects.name}`)
  t.equal(homeRemedy({ objects, setting: '--to' }, 'it'), 'Set --to to where it is')
  t.end()
})
