// Tables as Markdown has them, to read as they are.

export const print = (line: string): void => { process.stdout.write(`${line}\n`) }

export const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`

export const head = (...cells: readonly string[]): string => `${row(...cells)}\n${row(...cells.map(() => '---'))}`
