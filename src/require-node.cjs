// Before anything else: says in one sentence what is wrong when Node is too old to run TypeScript, and has Node keep what it makes of the code.
const { enableCompileCache } = require('node:module')
const { join } = require('node:path')
const { isTooOld } = require('./newer-node.cjs')

if (isTooOld) {
  console.error(`Upload Gateway needs Node.js 24 or newer; this is ${process.version}, and npm has installed no newer one for ${process.platform}-${process.arch}. Install Node.js 24; in a clone, then run npm ci again.`)
  process.exit(1)
}

// A third of the time of each start but the first. What is kept is run, so it is beside the code, where only those can write who can change the
// code as well; where the folder cannot be written nothing is kept. NODE_COMPILE_CACHE names another.
enableCompileCache(join(__dirname, '../node_modules/.cache/upload-gateway'))
