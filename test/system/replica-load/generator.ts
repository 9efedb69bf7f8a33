// A load of mixed requests upon one address, as a process of its own:
//   node test/system/replica-load/generator.ts '{"url":"http://127.0.0.1:3001","secret":"…","seed":"1","users":16,"seconds":60,"ledger":"/tmp/ledger.json"}'
// `secret`: what the gateway checks tokens with. Prints a line every ten seconds, ends by itself or on SIGTERM, and writes what it came to into `ledger`.
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import type { Scope, UserId } from '../../../src/callers/caller.ts'
import { createMint } from '../../../src/callers/mint.ts'
import type { Failure, Ledger } from './ledger.ts'
import { createRandom } from './random.ts'
import { createUser, type User } from './user.ts'

/** `pauseMs`: what each user waits between two operations, on average. */
export type Load = { readonly url: string, readonly secret: string, readonly seed: string, readonly users: number, readonly seconds: number, readonly ledger: string, readonly maxBytes?: number, readonly pauseMs?: number }

const { url, secret, seed, users: userCount, seconds, ledger: file, maxBytes = 2 * 1024 ** 2, pauseMs = 50 } = JSON.parse(process.argv[2] ?? '{}') as Load
const mint = createMint(secret, { jwtIssuer: '', jwtAudience: '', jwtUserClaim: 'sub' })
const tokenFor = (id: string, ...scopes: Scope[]) => mint(id as UserId, { seconds: seconds + 3600, scopes })

const done: Record<string, number> = {}
const failures: Failure[] = []
const wrong: string[] = []
let requests = 0
const stopping = new AbortController()

const adminToken = await tokenFor('root', 'uploads:admin', 'uploads:service')
const choosing = createRandom(`${seed} public`)
const users: User[] = await Promise.all(Array.from({ length: userCount }, async (_, index) => createUser({
  name: `user${index}`,
  baseUrl: url,
  token: await tokenFor(`user${index}`),
  adminToken,
  random: createRandom(`${seed} ${index}`),
  fetch: (...request) => {
    requests += 1
    return fetch(...request)
  },
  maxBytes,
  anyPublic: () => {
    const files = choosing.pick(users).holdings.files.filter(({ isPublic, state }) => isPublic && state === 'live')
    return files.length === 0 ? undefined : choosing.pick(files)
  },
  onDone: (operation) => { done[operation] = (done[operation] ?? 0) + 1 },
  onFailure: (failure) => failures.push(failure),
  onWrong: (sentence) => wrong.push(sentence),
})))

process.on('SIGTERM', () => stopping.abort())
const deadline = Date.now() + seconds * 1000
const telling = setInterval(() => {
  process.stdout.write(`${Object.values(done).reduce((sum, one) => sum + one, 0)} operations, ${requests} requests, ${failures.length} failed, ${wrong.length} wrong\n`)
}, 10_000)

await Promise.all(users.map(async (user, index) => {
  const pausing = createRandom(`${seed} pauses ${index}`)
  while (!stopping.signal.aborted && Date.now() < deadline) {
    await user.step()
    await setTimeout(pausing.below(2 * pauseMs + 1))
  }
}))
clearInterval(telling)
writeFileSync(file, JSON.stringify({ seed, holdings: users.map(({ holdings }) => holdings), done, failures, requests, wrong } satisfies Ledger))
process.exit()
