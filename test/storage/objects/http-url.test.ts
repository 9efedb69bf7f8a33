import { test } from 'tap'
import { isHttpUrl } from '../../../src/storage/objects/http-url.ts'

test('only http and https URLs are where a store may be', (t) => {
  for (const text of ['http://127.0.0.1:9000', 'https://account.blob.core.windows.net']) t.ok(isHttpUrl(text), text)
  for (const text of ['', 'store', 'localhost:9000', 'ftp://store', 'http://:x']) t.notOk(isHttpUrl(text), text)
  t.end()
})
