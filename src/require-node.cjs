// Says in one sentence what is wrong when Node is too old to run TypeScript; does nothing otherwise.
const [major] = process.versions.node.split('.')
if (Number(major) < 24) {
  console.error(`Upload Gateway needs Node.js 24 or newer; this is ${process.version}. Install Node.js 24, or run it through npm (npm start), which brings its own.`)
  process.exit(1)
}
