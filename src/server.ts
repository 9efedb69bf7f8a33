// The process edge: settings in, a listening gateway out, and a stop that lets uploads finish.
import { existsSync } from 'node:fs'
import process from 'node:process'
import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { buildApp } from './app.ts'
import { banner } from './banner.ts'
import { ConfigError, readConfig, type Config } from './config.ts'
import { giveBack } from './garbage.ts'
import { bufferedOutput } from './plugins/log-output.ts'
import { answerFirst } from './priority.ts'
import { nameOf } from './records/address.ts'
import { homePlace } from './storage/fs.ts'
import { keepTickShape } from './tick-shape.ts'

const envFile = '.env'

const stopSignals = ['SIGINT', 'SIGTERM'] as const
/** Terminals and systemd signal npm and the gateway, and npm hands on what it gets: twice within this time is once. */
const sameSignalMs = 1000

async function start (): Promise<void> {
  keepTickShape()
  if (existsSync(envFile)) process.loadEnvFile(envFile)
  const config = readConfig(process.env)
  const isTerminal = process.stdout.isTTY === true
  const app = await buildApp(config, { isTerminal, ...(!isTerminal && { logStream: standardOutput() }) })
  giveBack()
  answerFirst()
  // Before it listens: whoever reads that it does may stop it at once.
  const stop = stopGracefully(app, config)
  const serving = { home: homePlace(app.home.fs, config.uploadsDir), database: nameOf(config.database), isReadOnly: config.isReadOnly }
  // A line of its own: Fastify's, of listening, takes no fields, and comes once for each address.
  app.log.info(serving, 'Uploads and database are open.')
  const address = await app.listen({ host: config.host, port: config.port }).catch(async (error: unknown) => {
    // Stopped before it listened, it ends as after any stop.
    if (stop.isUnderWay()) return undefined
    stop.uninstall()
    await app.close()
    throw isListenError(error) ? new ConfigError(sentenceOf(error, config), { cause: error }) : error
  })
  if (isTerminal && address !== undefined) process.stdout.write(banner({ address, ...serving, hasAccounts: config.hasAccounts }))
}

function standardOutput () {
  const output = bufferedOutput(process.stdout.fd)
  process.on('exit', () => output.flushSync())
  return output
}

function stopGracefully (app: FastifyInstance, { shutdownGraceMs }: Config) {
  let stopping: { signal: string, at: number } | undefined
  const { close, uninstall } = closeWithGrace({ delay: shutdownGraceMs, logger: app.log, skip: [...stopSignals] }, async ({ signal = stopping?.signal, err }) => {
    if (err !== undefined) app.log.fatal({ err }, 'The gateway stops because of an error nobody handled.')
    else app.log.info(`Stopping on ${signal ?? 'request'}; uploads in flight are finished first.`)
    await app.close()
    if (err === undefined) app.log.info('Stopped.')
  })
  for (const signal of stopSignals) {
    process.on(signal, () => {
      if (stopping === undefined) {
        stopping = { signal, at: performance.now() }
        close()
      } else if (performance.now() - stopping.at > sameSignalMs) {
        app.log.error(`Stopped at once by a second ${signal}.`)
        process.exit(1)
      }
    })
  }
  return { uninstall, isUnderWay: () => stopping !== undefined }
}

try {
  await start()
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}

function isListenError (error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && error.syscall === 'listen'
}

function sentenceOf ({ code, message }: NodeJS.ErrnoException, { host, port }: Config): string {
  if (code === 'EADDRINUSE') return `PORT ${port} on HOST ${host} is taken by another process: stop that one, or set PORT to another port.`
  return `The gateway cannot listen on PORT ${port} of HOST ${host}: set them to an address of this machine and a port it may use (${message}).`
}
