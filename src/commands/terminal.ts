// What commands show: progress on standard error where that is a terminal, the result on standard output.
import { SingleBar } from 'cli-progress'
import Table from 'cli-table3'
import prettyBytes from 'pretty-bytes'
import type { Progress, Unit } from '../operations/progress.ts'

export const size = (bytes: number): string => prettyBytes(bytes, { binary: true })

/** What others chose, such as the name of a file, on one line and without power over the terminal. */
export const plain = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)

const count = (value: number): string => value.toLocaleString('en')

const shown: Record<Unit, (value: number) => string> = { bytes: size, files: count }

/** Of a table. More nobody reads, and cli-table3 cannot take. */
const mostRows = 10_000

/** A table without frame, for people. */
export function table (head: readonly string[], rows: ReadonlyArray<ReadonlyArray<string | number>>): string {
  const out = new Table({ head: [...head], style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 }, chars: noFrame, colAligns: head.map((_, index) => index === 0 ? 'left' : 'right') })
  for (const row of rows.slice(0, mostRows)) out.push(row.map((cell) => typeof cell === 'number' ? count(cell) : plain(cell)))
  return rows.length > mostRows ? `${out.toString()}\nand ${count(rows.length - mostRows)} more: --json has all.` : out.toString()
}

const noFrame = Object.fromEntries(['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'].map((name) => [name, '']))

/** Shows progress with its rate and the time left; on anything but a terminal only the sentences. */
export function showProgress (stream: NodeJS.WriteStream): Progress & { stop (): void } {
  let bar: SingleBar | undefined
  let begin: (() => SingleBar) | undefined
  let done = 0
  let told = () => ({})

  function stop (): void {
    bar?.stop()
    bar = undefined
  }

  return {
    stop,
    step (name, total, unit = 'files') {
      stop()
      if (stream.isTTY !== true) return
      done = 0
      const startedAt = performance.now()
      told = () => ({ done: shown[unit](done), all: shown[unit](total ?? 0), rate: rateText(shown[unit], done, startedAt) })
      begin = () => startBar(stream, name, total, done, told())
      bar = begin()
    },
    advance (by = 1) {
      done += by
      // A sentence may have come between.
      bar ??= begin?.()
      bar?.update(done, told())
    },
    say (message) {
      stop()
      stream.write(`${message}\n`)
    },
  }
}

const rateText = (show: (value: number) => string, done: number, startedAt: number): string =>
  done === 0 ? '' : `${show(Math.round(done / Math.max(0.001, (performance.now() - startedAt) / 1000)))}/s`

function startBar (stream: NodeJS.WriteStream, name: string, total: number | undefined, done: number, payload: object): SingleBar {
  const format = total === undefined ? `${name}  {done}  {rate}` : `${name}  {bar}  {percentage} %  {done} of {all}  {rate}  {eta_formatted} left`
  const bar = new SingleBar({ format, stream, hideCursor: null, clearOnComplete: true, etaBuffer: 50, barsize: 24, barCompleteChar: '█', barIncompleteChar: '░' })
  bar.start(total ?? 0, done, payload)
  return bar
}
