import t from 'tap'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import type { UserId } from '../../src/callers/caller.ts'
import { createMint } from '../../src/callers/mint.ts'

const ada = 'ada' as UserId
const secret = 's'.repeat(32)
const now = () => new Date(1_800_000_000_999)

t.test('a token says who, since when and until when', async (t) => {
  const mint = createMint(secret, { jwtIssuer: '', jwtAudience: '', jwtUserClaim: 'sub' }, now)
  const token = await mint(ada, { seconds: 60 })
  t.same(decodeJwt(token), { sub: 'ada', iat: 1_800_000_000, exp: 1_800_000_060 })
  t.equal(decodeProtectedHeader(token).alg, 'HS256')
})

t.test('a token carries the issuer, audience and user claim this gateway checks', async (t) => {
  const mint = createMint(secret, { jwtIssuer: 'https://id.example', jwtAudience: 'uploads', jwtUserClaim: 'uid' }, now)
  const claims = decodeJwt(await mint(ada, { seconds: 60, scopes: ['uploads:service', 'uploads:admin'], generation: 0 }))
  t.match(claims, { iss: 'https://id.example', aud: 'uploads', uid: 'ada', sub: 'ada', scope: 'uploads:service uploads:admin', accountGeneration: 0 })
})
