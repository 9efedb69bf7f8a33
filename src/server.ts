// The process edge: settings in, a listening gateway out, and a stop that lets uploads finish.
import { existsSync } from 'node:fs'
import process from 'node:process'
import closeWithGrace from 'close-with-grace'
import { buildApp } from './app.ts'
import { banner } from './banner.ts'
import { ConfigError, readConfig } from './config.ts'

const envFile = '.env'

async function start (): Promise<void> {
  if (existsSync(envFile)) process.loadEnvFile(envFile)
  const config = readConfig(process.env)
  const isTerminal = process.stdout.isTTY === true
  const app = await buildApp(config, { isTerminal })
  const address = await app.listen({ host: config.host, port: config.port }).catch(async (error: unknown) => {
    await app.close()
    throw error
  })
  closeWithGrace({ delay: config.shutdownGraceMs, logger: app.log }, async ({ signal, err }) => {
    if (err !== undefined) app.log.fatal({ err }, 'The gateway stops because of an error nobody handled.')
    else app.log.info(`Stopping on ${signal ?? 'request'}; uploads in flight are finished first.`)
    await app.close()
  })
  if (isTerminal) process.stdout.write(banner({ address, config }))
}

try {
  await start()
} catch (error) {
  if (!(error instanceof ConfigError) && !isListenError(error)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}

function isListenError (error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error && error.syscall === 'listen'
}
