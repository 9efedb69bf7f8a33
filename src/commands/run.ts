// How every command runs: settings in, one result out, as text for people or as JSON, and an exit code that says how it went.
import { existsSync } from 'node:fs'
import process from 'node:process'
import { CommanderError, type Command } from 'commander'
import { ConfigError, readConfig, type Config } from '../config.ts'
import type { Progress } from '../operations/progress.ts'
import { reasonOf } from '../operations/reason.ts'
import { Refusal } from '../operations/refusal.ts'
import { databaseRefusal } from '../records/failures.ts'
import { plain, showProgress } from './terminal.ts'

const envFile = '.env'

export const exitCodes = `
Exit codes:
  0  done
  1  refused or failed: the sentence on standard error says why and what to do
  2  the command line is not valid
  3  done, but something is wrong or was left out: the result says what`

export type Result = {
  /** For machines: with --json, printed as one JSON document. */
  readonly report: object
  /** For people. */
  readonly text: string
  /** Something is wrong, or was left out. */
  readonly hasFindings?: boolean
}

type Tools = { readonly config: Config, readonly progress: Progress }

/**
 * For `action`: reads the settings, shows progress while `work` is done, and prints its result. `changes`: whether it changes anything
 * of the deployment, which READ_ONLY=true refuses.
 */
export function running<Options extends { json?: boolean }, Arguments extends unknown[]> (work: (tools: Tools, options: Options, ...args: Arguments) => Promise<Result | undefined>, changes: (options: Options) => boolean = () => false) {
  return reporting<Options, Arguments>((progress, options, ...args) => {
    const config = readConfig(environment())
    if (config.isReadOnly && changes(options)) throw new Refusal('Nothing was done: this changes something, and READ_ONLY=true says that nothing is to be changed. Run it again with READ_ONLY=false, where the gateway runs so too.')
    return work({ config, progress }, options, ...args)
  })
}

/** The same for a command that reads the settings itself. */
export function reporting<Options extends { json?: boolean }, Arguments extends unknown[]> (work: (progress: Progress, options: Options, ...args: Arguments) => Promise<Result | undefined>) {
  return async (...given: unknown[]): Promise<void> => {
    // Commander hands over the arguments, then the options, then the command itself.
    const options = (given.at(-1) as Command).optsWithGlobals() as Options
    const args = given.slice(0, -2) as Arguments
    const progress = showProgress(process.stderr)
    try {
      const result = await work(progress, options, ...args)
      progress.stop()
      if (result === undefined) return
      print(`${options.json === true ? JSON.stringify(result.report, null, 1) : result.text}\n`)
      if (result.hasFindings === true) process.exitCode = 3
    } finally {
      progress.stop()
    }
  }
}

/** Whoever reads it may have seen enough, as `head` has. Not for what is output itself, such as a tar: half of that is a failure. */
export function print (text: string): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => { if (error.code !== 'EPIPE') throw error })
  process.stdout.write(text)
}

/** As the service itself takes it. */
export function environment (): Record<string, string | undefined> {
  if (existsSync(envFile)) process.loadEnvFile(envFile)
  return process.env
}

/** For the help of options with file: URLs. */
export const whereRelative = 'a path without / at its beginning begins in the folder in which the command is run'

/** The help of a command, after its options. */
export const helpWith = (example: string): string => `\nExample:\n  ${example.replaceAll('\n', '\n  ')}\n${exitCodes}`

/** Says what went wrong, unless commander has, and returns the exit code. */
export function failed (error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  // Some are of several lines.
  process.stderr.write(`${sentenceOf(error).split('\n').map(plain).join('\n')}\n`)
  return 1
}

function sentenceOf (error: unknown): string {
  if (error instanceof ConfigError || error instanceof Refusal) return error.message
  // Errors of the table are sentences too; what they come from is for operators to know.
  if (error instanceof Error && 'statusCode' in error) return error.cause instanceof Error ? `${error.message} (${reasonOf(error.cause)})` : error.message
  if (error instanceof Error && 'syscall' in error) return `A file, a folder or a connection cannot be used: ${reasonOf(error)}.`
  const refusal = databaseRefusal(error)
  return refusal === undefined ? unexpected(error) : `${refusal} Run "upload-gateway doctor", which looks at the database.`
}

/** For whoever mends the gateway: where it happened, but none of the values that were in play there. */
function unexpected (error: unknown): string {
  if (!(error instanceof Error)) return `Something unexpected happened: ${reasonOf(error)}.`
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : ''
  const frames = (error.stack ?? '').split('\n').filter((line) => /^ +at /.test(line))
  return [`Something unexpected happened, ${error.name}${code}: ${reasonOf(error)}`, ...frames].join('\n')
}
