import { test } from 'tap'
import { FileNotFound, ImageInvalid, ImagesBusy, MetadataUnreadable, ServiceStopping } from '../../src/errors.ts'
import { pictureError } from '../../src/images/picture-error.ts'
import { JobLost } from '../../src/images/processes/start.ts'
import { countingJobs } from '../../src/plugins/picture-count.ts'
import { pictureClient } from '../fixtures/picture-client.ts'
import { plain } from '../images/made.ts'

const turn = { weight: 1, line: 'variant' } as const
const file = { path: '/a', contentType: 'image/png' } as const

test('every job is counted by what became of it, and its answer or error goes on', async (t) => {
  const counted: string[] = []
  const outcomes: unknown[] = []
  const run = countingJobs((async () => {
    const outcome = outcomes.shift()
    if (outcome instanceof Error) throw outcome
    return outcome
  }) as never, { pictureJobEnded: (job, outcome) => counted.push(`${job} ${outcome}`) })
  outcomes.push({ thumbhash: 'abc' })
  t.strictSame(await run('inspect', file, turn), { thumbhash: 'abc' })
  const errors: Array<[error: Error, outcome: string]> = [
    [pictureError('IMAGE_TOO_LARGE', 'large'), 'refused'], [new ImageInvalid(), 'refused'], [new MetadataUnreadable(), 'refused'],
    [new ImagesBusy(), 'busy'], [new JobLost('JOB_TIMED_OUT', 'slow'), 'lost'], [new JobLost('JOB_CRASHED', 'ended'), 'lost'],
    [new ServiceStopping(), 'failed'], [new FileNotFound(), 'failed'], [new Error('ours'), 'failed'],
  ]
  for (const [error] of errors) {
    outcomes.push(error)
    await t.rejects(run('plan', file, turn), error)
  }
  t.strictSame(counted, ['inspect done', ...errors.map(([, outcome]) => `plan ${outcome}`)])
})

test('the jobs of uploads and variants are in the metrics, and how many wait', async (t) => {
  const { app, put, show } = await pictureClient(t)
  t.equal((await put(await plain(100, 100).png().toBuffer())).statusCode, 201)
  t.equal((await put(Buffer.concat([(await plain(100, 100).png().toBuffer()).subarray(0, 60), Buffer.alloc(200)]))).statusCode, 422)
  t.equal((await show('/api/avatars/ada?size=32&format=webp')).statusCode, 200)
  const text = (await app.inject('/metrics')).body
  for (const job of ['plan', 'inspect', 'render']) t.match(text, `picture_jobs_total{job="${job}",outcome="done"} 1`)
  t.match(text, /^picture_jobs_total\{job="\w+",outcome="refused"\} 1$/m)
  t.match(text, /^picture_jobs_waiting 0$/m)
})
