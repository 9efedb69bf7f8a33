import { test } from 'tap'
import { core, databaseTests, homes, httpTests, leftOut, testsOn } from './tests.ts'

test('a test that builds a gateway runs on every home, by whatever fixture it does that', (t) => {
  for (const path of ['test/attachments/routes.test.ts', 'test/resumable/routes.test.ts', 'test/users/routes.test.ts']) {
    for (const home of homes) t.ok(testsOn(home).includes(path), `${path} on ${home}`)
  }
  t.notOk(httpTests().includes('test/config.test.ts'), 'one that builds none does not')
  t.end()
})

test('a test that opens a database runs on PostgreSQL too', (t) => {
  for (const path of ['test/records/owners.test.ts', 'test/users/records.test.ts']) {
    t.ok(databaseTests().includes(path), path)
    t.ok(testsOn('postgresql').includes(path), path)
  }
  t.notOk(databaseTests().includes('test/images/query.test.ts'), 'one that opens none does not')
  t.end()
})

test('what is left out is there to be left out', (t) => {
  for (const [place, { because, on }] of Object.entries(leftOut)) {
    t.ok(httpTests().some((path) => path === place || (place.endsWith('/') && path.startsWith(place))), place)
    t.ok(because.length > 10)
    for (const home of on) t.strictSame(testsOn(home).filter((path) => path.startsWith(place)), [], `${place} on ${home}`)
  }
  t.end()
})

test('the core is there', (t) => {
  for (const place of core) t.ok(testsOn('azure').some((path) => path.startsWith(place)), place)
  t.end()
})
