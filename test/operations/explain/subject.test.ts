import t from 'tap'
import { parseSubject } from '../../../src/operations/explain/subject.ts'

const id = '019aa1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b'

t.test('every address that the gateway ever handed out is known, with any host', async (t) => {
  const known: Array<[string, object]> = [
    ['/api/avatars/ada', { is: 'current avatar', userId: 'ada' }],
    ['https://old.example/api/avatars/ada?size=64#x', { is: 'current avatar', userId: 'ada' }],
    ['//api/avatars/ada', { is: 'current avatar', userId: 'ada' }],
    ['/api/avatars/a%40b.example', { is: 'current avatar', userId: 'a@b.example' }],
    [`/api/avatars/ada/${id}`, { is: 'version', userId: 'ada', id }],
    ['/api/auth/avatar/ada', { is: 'current avatar', userId: 'ada' }],
    ['http://x:3001/api/api/auth/avatar/ada', { is: 'current avatar', userId: 'ada' }],
    [`/api/attachments/${id}`, { is: 'attachment', id }],
    [`https://x/api/attachments/${id}/content?download=1`, { is: 'attachment', id }],
    ['/i/p/2024/01/avatar_1_x%20y.png', { is: 'old path', path: '/i/p/2024/01/avatar_1_x y.png' }],
    ['https://x/uploads/%C3%A4.pdf', { is: 'old path', path: '/uploads/ä.pdf' }],
    ['/api/uploads/avatars/x.png', { is: 'old path', path: '/uploads/avatars/x.png' }],
    ['https://x/api/links/ab-_/c.txt?download=true', { is: 'link', token: 'ab-_' }],
    ['/api/links/ab-_', { is: 'link', token: 'ab-_' }],
    [` ${id.toUpperCase()} `, { is: 'id', id }],
    [`avatars/2026/11/21/${id}.webp`, { is: 'id', id }],
    [`/srv/uploads/attachments/2026/11/21/${id}.sidecar.json`, { is: 'id', id }],
    ['A'.repeat(64), { is: 'sha256', sha256: 'a'.repeat(64) }],
    ['ada@example.com', { is: 'user', userId: 'ada@example.com' }],
    [' Ada+home@Example.com ', { is: 'e-mail', email: 'ada+home@example.com' }],
  ]
  for (const [asked, subject] of known) t.strictSame(parseSubject(asked), subject, asked)
})

t.test('what is an address, but of no file, is told apart', async (t) => {
  for (const path of ['/', '/docs', '/api/avatars', '/api/avatars/ada/1', '/api/avatars/ada/versions/x', '/api/auth/avatar', '/api/attachments/7', '/api/links/', '/api/avatars/a b']) {
    t.match(parseSubject(path), { is: 'no address' }, path)
  }
})

t.test('what cannot be told is refused with what to give instead', async (t) => {
  t.throws(() => parseSubject('/api/avatars/me'), { name: 'Refusal', message: /Name the user/ })
  t.throws(() => parseSubject('/uploads/100%'), { name: 'Refusal', message: /percent sign/ })
  t.throws(() => parseSubject('https://x/api/links/secret/100%'), { name: 'Refusal', message: /^"https:\/\/x\/api\/links\/\.\.\.\/100%" has a percent sign/ })
  t.throws(() => parseSubject('http://'), { name: 'Refusal', message: /no valid URL/ })
  for (const asked of ['', 'two words', 'me', '../x', 'a+b@', 'a b@c.example']) t.throws(() => parseSubject(asked), { name: 'Refusal', message: /nothing that the gateway hands out/ })
})
