import Fastify from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { test, type Test } from 'tap'
import { Type } from 'typebox'
import { asksForVariant, AvatarQuery, CropText, MetadataChoice, PreviewQuery, specOf, VariantQuerySchema, type Picture, type VariantQuery } from '../../src/images/query.ts'
import { parseCrop } from '../../src/images/spec.ts'
import { problems } from '../../src/plugins/problems.ts'
import { validation } from '../../src/plugins/validation.ts'

const photo: Picture = { width: 4000, height: 3000, frames: 1 }
const animation: Picture = { width: 4000, height: 3000, frames: 12 }
const avatar = (query: VariantQuery, picture: Picture, accepted: 'avif' | 'webp' | 'auto' = 'auto') => specOf(query, { kind: 'avatar', picture, accepted })

test('a query comes to one of the variants there are', async (t) => {
  t.same(avatar({ size: 200 }, photo, 'avif'), { shape: 'square', size: 256, format: 'avif', isAnimated: false })
  t.same(avatar({ size: 200, format: 'png' }, photo, 'avif'), { shape: 'square', size: 256, format: 'png', isAnimated: false })
  t.same(avatar({ format: 'webp' }, photo), { shape: 'square', size: 1024, format: 'webp', isAnimated: false })
  t.same(specOf({ size: 1 }, { kind: 'preview', picture: photo, accepted: 'auto' }), { shape: 'inside', size: 320, format: 'auto', isAnimated: false })
  const crop = parseCrop('0.1,0.1,0.5,0.5')
  t.same(avatar({ size: 64 }, { ...photo, crop }), { shape: 'square', size: 64, format: 'auto', isAnimated: false, crop })
})

test('sizes beyond that of the picture are one variant', async (t) => {
  const small = { ...photo, width: 100, height: 60 }
  t.same([32, 64, 100, 128, 512, 1024, undefined].map((size) => avatar(size === undefined ? {} : { size }, small).size), [32, 64, 128, 128, 128, 128, 128])
  for (const unknown of [{ width: null, height: null }, { width: 0, height: 0 }]) t.equal(avatar({ size: 500 }, { ...photo, ...unknown }).size, 512, 'a size nobody knows limits nothing')
})

test('motion is kept where it is asked for, there is any, and the format has it', async (t) => {
  const cases: Array<[VariantQuery, Picture, 'avif' | 'webp' | 'auto', format: string, isAnimated: boolean]> = [
    [{}, animation, 'webp', 'webp', false],
    [{ animated: false }, animation, 'webp', 'webp', false],
    [{ animated: true }, animation, 'webp', 'webp', true],
    [{ animated: true }, animation, 'avif', 'webp', true],
    [{ animated: true }, animation, 'auto', 'auto', false],
    [{ animated: true, format: 'webp' }, animation, 'auto', 'webp', true],
    [{ animated: true, format: 'avif' }, animation, 'webp', 'avif', false],
    [{ animated: true, format: 'png' }, animation, 'webp', 'png', false],
    [{ animated: true }, photo, 'avif', 'avif', false],
    [{ animated: true }, { ...animation, frames: undefined }, 'avif', 'webp', true],
  ]
  for (const [query, picture, accepted, format, isAnimated] of cases) t.match(avatar(query, picture, accepted), { format, isAnimated }, JSON.stringify([query, picture, accepted]))
})

test('without a word about it the stored bytes are meant', async (t) => {
  t.equal(asksForVariant({}), false)
  for (const query of [{ size: 1 }, { format: 'avif' }, { animated: true }, { animated: false }] as const) t.equal(asksForVariant(query), true)
})

async function build (t: Test) {
  const app = Fastify().withTypeProvider<TypeBoxTypeProvider>()
  await app.register(problems)
  await app.register(validation)
  app.get('/avatar', { schema: { querystring: AvatarQuery } }, async ({ query }) => query)
  app.get('/version', { schema: { querystring: VariantQuerySchema } }, async ({ query }) => query)
  app.get('/preview', { schema: { querystring: PreviewQuery } }, async ({ query }) => query)
  app.get('/upload', { schema: { querystring: Type.Object({ crop: Type.Optional(CropText), metadata: Type.Optional(MetadataChoice) }) } }, async ({ query }) => query)
  t.teardown(() => app.close())
  return app
}

test('queries are read, and others than ours let through', async (t) => {
  const app = await build(t)
  const read = async (url: string) => (await app.inject(url)).json()
  t.same(await read('/avatar?size=64&format=webp&animated=true&fallback=initials&name=Ada%20Lovelace'), { size: 64, format: 'webp', animated: true, fallback: 'initials', name: 'Ada Lovelace' })
  t.same(await read('/version?size=64&format=png&animated=true'), { size: 64, format: 'png', animated: true })
  t.same(await read('/preview?size=1&animated=false'), { size: 1, animated: false })
  t.same(await read('/avatar?v=1732&_=x'), { v: '1732', _: 'x' })
  t.same(await read('/avatar'), {})
  t.same(await read('/upload?crop=0.1,0.2,.5,5e-1&metadata=keep'), { crop: '0.1,0.2,.5,5e-1', metadata: 'keep' })
})

test('queries that make no sense are refused, with words', async (t) => {
  const app = await build(t)
  const refused: Array<[url: string, detail: string]> = [
    ['/avatar?size=big', 'query size must be a whole number'],
    ['/avatar?size=0', 'query size must be at least 1'],
    ['/avatar?size=-64', 'query size must be at least 1'],
    ['/avatar?size=1.5', 'query size must be a whole number'],
    ['/preview?size=64&size=128', 'query size must be a whole number'],
    ['/preview?format=gif', 'query format must be one of avif, webp, jpeg, png'],
    ['/avatar?animated=sometimes', 'query animated must be true or false'],
    ['/avatar?fallback=cat', 'query fallback must be one of initials, identicon, 404'],
    [`/avatar?name=${'a'.repeat(257)}`, 'query name must have at most 256 characters'],
    ['/upload?crop=everything', 'query crop must be x,y,width,height as fractions of the upright picture'],
    ['/upload?metadata=some', 'query metadata must be one of keep, remove'],
  ]
  for (const [url, detail] of refused) {
    const answer = await app.inject(url)
    t.equal(answer.statusCode, 400, url)
    t.match(answer.json(), { code: 'REQUEST_INVALID', detail: `The request is not valid: ${detail}.` })
  }
})
