// Says in one sentence what is wrong when Node is too old to run TypeScript; does nothing otherwise.
const { isTooOld } = require('./newer-node.cjs')

if (isTooOld) {
  console.error(`Upload Gateway needs Node.js 24 or newer; this is ${process.version}, and npm has installed no newer one for ${process.platform}-${process.arch}. Install Node.js 24; in a clone, then run npm ci again.`)
  process.exit(1)
}
