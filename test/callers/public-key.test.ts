import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import t from 'tap'
import { publicKey } from '../../src/callers/public-key.ts'

const spki = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString()
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })

t.test('the type of a key fixes its algorithm', async (t) => {
  t.equal(publicKey(spki(rsa.publicKey)).algorithm, 'RS256')
  t.equal(publicKey(rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()).algorithm, 'RS256')
  t.equal(publicKey(spki(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)).algorithm, 'ES256')
  t.equal(publicKey(spki(generateKeyPairSync('ed25519').publicKey)).algorithm, 'EdDSA')
})

t.test('keys that are short or of another type are refused', async (t) => {
  const others = [
    generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey,
    generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey,
    generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey,
    generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey,
    generateKeyPairSync('ed448').publicKey,
    generateKeyPairSync('x25519').publicKey,
  ]
  for (const key of others) t.throws(() => publicKey(spki(key)), { name: 'ConfigError', message: /RSA of at least 2048 bits, EC P-256 or Ed25519/ }, String(key.asymmetricKeyType))
})

t.test('a private key is refused, though a public one could be derived from it', async (t) => {
  for (const type of ['pkcs8', 'pkcs1'] as const) {
    const plain = rsa.privateKey.export({ type, format: 'pem' }).toString()
    t.throws(() => publicKey(plain), { name: 'ConfigError', message: /private key/ })
  }
  const locked = rsa.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString()
  t.throws(() => publicKey(locked), { name: 'ConfigError', message: /private key/ })
})

t.test('what is no key is refused with a sentence that says what one looks like', async (t) => {
  for (const text of ['rubbish', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----']) {
    t.throws(() => publicKey(text), { name: 'ConfigError', message: /BEGIN PUBLIC KEY/ })
  }
})

t.test('a certificate is accepted for its key', async (t) => {
  const folder = t.testdir({ 'key.pem': rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) })
  const made = spawnSync('openssl', ['req', '-x509', '-new', '-key', `${folder}/key.pem`, '-subj', '/CN=test'], { encoding: 'utf8' })
  if (made.status !== 0) return t.comment('skipped: needs openssl')
  t.equal(publicKey(made.stdout).key, spki(rsa.publicKey))
})
