import Fastify from 'fastify'
import { test } from 'tap'
import { maxPixels, maxSide } from '../../src/images/limits.ts'
import { limitsRoute } from '../../src/plugins/limits.ts'
import { avatarTypes } from '../../src/transfer/sniff.ts'

test('limits are those that are set, as numbers, and may be kept for a while', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(limitsRoute, { avatar: { maxBytes: 5, maxFiles: 1 }, attachment: { maxBytes: 7, maxFiles: 3 }, chunkBytes: 4, usual: { quotaBytes: 9, quotaFiles: 0, rateUploads: 2, rateBytes: 0 }, isReadOnly: false })
  const response = await app.inject('/api/limits')
  t.equal(response.statusCode, 200)
  t.equal(response.headers['cache-control'], 'public, max-age=300')
  t.strictSame(response.json(), {
    avatar: { maxBytes: 5, maxPixels, maxSide, types: [...avatarTypes], sizes: [32, 64, 96, 128, 256, 512, 1024] },
    attachment: { maxBytes: 7, maxFiles: 3, types: null, previewSizes: [320, 640, 800, 1280] },
    resumable: { chunkBytes: 4, maxBytes: 7 },
    readOnly: false,
    caller: { bytes: 9, files: null, uploadsPerMinute: 2, bytesPerMinute: null },
  })
})
