// A private picture in a plain <img> of a real browser: shown to whom it belongs through a media session, and to nobody else.
import t, { type Test } from 'tap'
import type { Browser, Page } from 'puppeteer-core'
import { picture, temporaryFolder } from '../helper.ts'
import { attachmentIn, call, get, json, postAttachment } from './client.ts'
import { chromium } from './fixtures/chromium.ts'
import { site, type Site } from './fixtures/site.ts'
import { bearer, start, type Gateway } from './gateway.ts'

const html = '<!doctype html><title>A page that shows pictures</title><form method="post" id="form"></form>'

/** Waits for the picture: its width, or 0 when there was none to show. */
const width = (page: Page, url: string) => page.evaluate(`new Promise((resolve) => {
  const image = new Image()
  image.onload = () => resolve(image.naturalWidth)
  image.onerror = () => resolve(0)
  image.src = ${JSON.stringify(url)}
  document.body.append(image)
})`)

/** The status of what a script of the page asks for; 0 when the browser keeps the answer from it. */
const fetched = (page: Page, url: string, options: object) =>
  page.evaluate(`fetch(${JSON.stringify(url)}, ${JSON.stringify(options)}).then(({ status }) => status, () => 0)`)

const begin = async (page: Page, base: string, headers: object) => fetched(page, `${base}/api/media-session`, { method: 'POST', credentials: 'include', headers })

/** `base`: the gateway, as the same site as the pages. To browsers two ports of one IP address are not. */
type Scene = { gateway: Gateway, base: string, pages: Site, browser: Browser, content: string, preview: string, id: string }

/** A private picture of ada's, and a site from which the gateway may be called. */
async function scene (t: Test): Promise<Scene> {
  const pages = await site(t, { '/': html })
  const gateway = await start(t, await temporaryFolder(t), { CORS_ORIGINS: pages.on('localhost') })
  const { id, url } = attachmentIn(await postAttachment(gateway, 'ada', await picture('jpeg', { width: 400, height: 300 })))
  const base = gateway.url.replace('127.0.0.1', 'localhost')
  return { gateway, base, pages, browser: await chromium(t), id, content: base + url, preview: `${base}${url.replace(/content$/, 'preview')}?size=320` }
}

/** A page in a profile of its own. */
async function visitor (browser: Browser, origin: string): Promise<Page> {
  const page = await (await browser.createBrowserContext()).newPage()
  await page.goto(origin)
  return page
}

/** Another address of the same bytes: the browser may keep what it has shown. */
let count = 0
function fresh (url: string): string {
  count += 1
  return `${url}${url.includes('?') ? '&' : '?'}fresh=${count}`
}

t.test('with a media session the picture shows, in this profile and on this site alone', { timeout: 60_000 }, async (t) => {
  const { base, pages, browser, content, preview } = await scene(t)
  const page = await visitor(browser, pages.on('localhost'))
  t.equal(await width(page, content), 0, 'nothing before')
  t.equal(await begin(page, base, await bearer('ada')), 200)
  t.equal(await width(page, fresh(content)), 400, 'the bytes')
  t.equal(await width(page, fresh(preview)), 320, 'and a preview')
  t.equal(await page.evaluate('document.cookie'), '', 'no script sees the cookie')

  const another = await visitor(browser, pages.on('localhost'))
  t.equal(await width(another, fresh(content)), 0, 'the same page in another profile: nothing')
  t.equal(await begin(another, base, await bearer('eve')), 200)
  t.equal(await width(another, fresh(content)), 0, 'nor for another user')

  await page.goto(pages.on('127.0.0.1'))
  t.equal(await width(page, fresh(content)), 0, 'nor on the page of another site, though the profile has the cookie')
  t.equal(await fetched(page, `${base}/api/media-session`, { method: 'POST', credentials: 'include', headers: await bearer('ada') }), 0, 'which cannot begin one either')
  await page.goto(pages.on('localhost'))
  t.equal(await width(page, fresh(content)), 400)

  t.equal(await fetched(page, `${base}/api/media-session`, { method: 'DELETE', credentials: 'include' }), 204)
  t.equal(await width(page, fresh(content)), 0, 'nothing after it has ended')
})

t.test('the cookie opens bytes and nothing else, and changes nothing', { timeout: 60_000 }, async (t) => {
  const { gateway, base, pages, browser, id, content } = await scene(t)
  const page = await visitor(browser, pages.on('localhost'))
  t.equal(await begin(page, base, await bearer('ada')), 200)
  const credentials = 'include'
  const api = `${base}/api/attachments`
  t.equal(await fetched(page, content, { credentials }), 200)
  for (const [what, path, method] of [
    ['the list', api, 'GET'], ['its JSON', `${api}/${id}`, 'GET'], ['a change', `${api}/${id}`, 'PATCH'], ['a deletion', `${api}/${id}`, 'DELETE'],
    ['an upload', api, 'POST'], ['a link', `${api}/${id}/links`, 'POST'], ['the next session', `${base}/api/media-session`, 'POST'], ['usage', `${base}/api/usage`, 'GET'],
  ] as const) t.ok([401, 404].includes(await fetched(page, path, { method, credentials }) as number), what)
  t.equal(await fetched(page, content, { credentials, headers: { authorization: 'Bearer wrong' } }), 401, 'beside a token it does not count')

  await Promise.all([page.waitForNavigation(), page.evaluate(`form.action = ${JSON.stringify(api)}, form.enctype = 'multipart/form-data', form.submit()`)])
  t.match(await page.evaluate('document.body.innerText'), /TOKEN_MISSING/, 'nor does a form')
  t.equal(json(await get(gateway, '/api/attachments', 'ada')).attachments.length, 1)
})

t.test('who logs out everywhere ends the media session too', { timeout: 60_000 }, async (t) => {
  const { gateway, base, pages, browser } = await scene(t)
  const registered = await call(gateway, '/api/auth/register', { method: 'POST', headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify({ email: 'ada@example.org', password: 'a long enough password', displayName: 'Ada' })) })
  const headers = { authorization: `Bearer ${json(registered).token}` }
  const { url } = attachmentIn(await postAttachment(gateway, 'nobody', await picture('jpeg', { width: 400, height: 300 }), { headers }))
  const page = await visitor(browser, pages.on('localhost'))
  t.equal(await begin(page, base, headers), 200)
  t.equal(await width(page, fresh(base + url)), 400)
  t.equal((await call(gateway, '/api/auth/logout', { method: 'POST', headers })).status, 204)
  t.equal(await width(page, fresh(base + url)), 0)
})

t.test('a link shows the picture to whoever has it, on any site, until it is revoked', { timeout: 60_000 }, async (t) => {
  const { gateway, pages, browser, id } = await scene(t)
  const made = await call(gateway, `/api/attachments/${id}/links`, { method: 'POST', headers: { ...await bearer('ada'), 'content-type': 'application/json' }, body: Buffer.from('{}') })
  const link = json(made)
  const address = gateway.url + new URL(link.url).pathname
  const page = await visitor(browser, pages.on('localhost'))
  t.equal(await width(page, address), 400)
  t.equal(await width(page, address.replace(/(.)\/([^/]*)$/, (_all, last: string, name: string) => `${last === 'A' ? 'B' : 'A'}/${name}`)), 0, 'not with another token')
  t.equal((await call(gateway, `/api/attachments/${id}/links/${link.id}`, { method: 'DELETE', headers: await bearer('ada') })).status, 204)
  t.equal(await width(page, fresh(address)), 0)
  await page.reload()
  t.equal(await width(page, address), 0, 'nor from what the browser keeps')
})
