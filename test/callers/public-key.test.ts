import { generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto'
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

/** Of an EC key on P-256, signed by itself. Node can read certificates, but not make them. */
const certificate = `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUCiAMj9lfJFECD2AXhFkwsSWvbZUwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjIwMDA1MDJaGA8yMTI2MTAyOTAwMDUw
MlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLM7
EsG2CmQ37EGiUgisjMP0JyH+CIFw37rxq7txHOPO9iOQOV8DaiAbx0H450vZk+Ja
GI849uZDpR/KRdzqYmCjUzBRMB0GA1UdDgQWBBTHvTSHMaflk9CqR2BEJaCgL6om
0zAfBgNVHSMEGDAWgBTHvTSHMaflk9CqR2BEJaCgL6om0zAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIHCCP2/mJok+AshMb5ub5jrrbtQmM7AdAaBw
oIqxiatpAiEA0Ri+wC+0INj21+iBXzSZFP4pgCd5SQhIlnH6Qhaq3bs=
-----END CERTIFICATE-----
`

t.test('a certificate is accepted for its key', async (t) => {
  t.strictSame(publicKey(certificate), { key: spki(new X509Certificate(certificate).publicKey), algorithm: 'ES256' })
})
