#!/usr/bin/env node
// The command of the installed package. Where Node is too old, the one that npm installed with the package runs it.
const { spawn } = require('node:child_process')
const { join } = require('node:path')
const { findNewerNode, isTooOld } = require('./newer-node.cjs')

const node = isTooOld ? findNewerNode() : undefined
if (node === undefined) {
  require('./require-node.cjs')
  import('../dist/cli.js')
} else {
  runWith(node)
}

function runWith (node) {
  const command = spawn(node, [join(__dirname, '../dist/cli.js'), ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal signals both: the gateway takes a signal that comes twice at once for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => command.kill(signal))
  command.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
