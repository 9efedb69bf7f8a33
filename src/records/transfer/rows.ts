// All rows of one database into another, in one transaction there, and proved before it is committed: both sides are read to the end, and say the same.
import { createHash, type Hash } from 'node:crypto'
import { isOwnSetting, NotTransferable, type Row, type Source, type Table, type Target } from './side.ts'

export type CopiedTable = {
  readonly table: string
  readonly rows: number
  /** Of all rows in the order of their keys: the same on both sides. */
  readonly sha256: string
}

type Options = {
  readonly source: Source
  /** Of which nothing is committed here. */
  readonly target: Target
  /** Tables that stay empty. */
  readonly except?: readonly string[]
  /** Hears of rows copied, and then of rows compared. */
  readonly onRows?: (count: number) => void
}

/** Replaces what the target has. @throws NotTransferable when the two are not of one version, or do not say the same afterwards */
export async function copyRows ({ source, target, except = [], onRows = () => {} }: Options): Promise<CopiedTable[]> {
  refuseUnlike(source, target)
  const tables = inOrder(source.tables)
  await target.clear()
  const copied: CopiedTable[] = []
  for (const table of tables.filter(({ name }) => !except.includes(name))) copied.push(await copyTable(source, target, table, onRows))
  for (const [table, last] of await source.counters()) if (!except.includes(table)) await target.setCounter(table, last)
  for (const before of copied) await compare(target, before, onRows)
  return copied
}

/** The tables of `side` that have rows, but for settings. */
export async function occupied (side: Source): Promise<string[]> {
  const names: string[] = []
  for (const table of side.tables) if (table.name !== 'Setting' && await hasRows(side, table)) names.push(table.name)
  return names
}

/** Undefined where there is none. */
export async function settingIn (side: Source, key: string): Promise<string | undefined> {
  const table = tableOf(side, 'Setting')
  const [at, value] = ['key', 'value'].map((name) => table.columns.findIndex((column) => column.name === name))
  for await (const rows of side.rows(table)) {
    const found = rows.find((row) => row[at ?? -1] === key)
    if (found !== undefined) return found[value ?? -1] ?? undefined
  }
  return undefined
}

async function hasRows (side: Source, table: Table): Promise<boolean> {
  for await (const { length } of side.rows(table)) if (length > 0) return true
  return false
}

async function copyTable (source: Source, target: Target, table: Table, onRows: (count: number) => void): Promise<CopiedTable> {
  const proof = createProof(table)
  for await (const page of source.rows(table)) {
    const rows = proof.add(page)
    if (rows.length > 0) await target.insert(table, rows)
    onRows(rows.length)
  }
  return proof.result()
}

async function compare (target: Target, before: CopiedTable, onRows: (count: number) => void): Promise<void> {
  const table = tableOf(target, before.table)
  const proof = createProof(table)
  for await (const page of target.rows(table)) onRows(proof.add(page).length)
  const after = proof.result()
  if (after.rows !== before.rows || after.sha256 !== before.sha256) throw new NotTransferable(`The table ${table.name} is not the same on both sides: ${before.rows} rows were read, and ${after.rows} are there.`)
}

/** `add` gives back those that count. */
function createProof (table: Table): { add (rows: readonly Row[]): Row[], result (): CopiedTable } {
  const hash: Hash = createHash('sha256')
  const at = table.name === 'Setting' ? table.columns.findIndex(({ name }) => name === table.key) : -1
  let count = 0
  return {
    add (rows) {
      const counting = rows.filter((row) => at < 0 || !isOwnSetting(row[at] ?? ''))
      for (const row of counting) hash.update(`${JSON.stringify(row)}\n`)
      count += counting.length
      return counting
    },
    result: () => ({ table: table.name, rows: count, sha256: hash.digest('hex') }),
  }
}

function tableOf (side: Source, name: string): Table {
  const table = side.tables.find((one) => one.name === name)
  if (table === undefined) throw new NotTransferable(`It has no table ${name}.`)
  return table
}

/** A column that the other does not have would be lost, or be without its value. */
function refuseUnlike (source: Source, target: Source): void {
  for (const table of source.tables) {
    const wanted = describe(table)
    const found = describe(tableOf(target, table.name))
    const [different] = [...wanted.filter((one) => !found.includes(one)), ...found.filter((one) => !wanted.includes(one))]
    if (different !== undefined) throw new NotTransferable(`The two are not of the same version: the column ${different} of the table ${table.name} is in one of them alone.`)
  }
}

const describe = ({ columns }: Table): string[] => columns.map(({ name, kind }) => `${name} (${kind})`)

/** What is pointed at comes first. */
function inOrder (tables: readonly Table[]): Table[] {
  const ordered: Table[] = []
  const visit = (table: Table): void => {
    if (ordered.includes(table)) return
    for (const name of table.references) for (const one of tables) if (one.name === name && one !== table) visit(one)
    ordered.push(table)
  }
  for (const table of tables) visit(table)
  return ordered
}
