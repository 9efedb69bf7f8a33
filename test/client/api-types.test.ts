import { readFile } from 'node:fs/promises'
import { test } from 'tap'
import { apiFile, apiTypes } from './api-types.ts'

test('the types of the client are those of the gateway; if not, npm run client:types makes them so', async (t) => {
  t.equal(await apiTypes(), await readFile(apiFile, 'utf8'))
})
