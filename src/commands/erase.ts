// upload-gateway erase: everything a user uploaded, for good; and the proof of it.
import process from 'node:process'
import { Option, type Command } from 'commander'
import { eraseOwner, receiptKey, type EraseReport } from '../operations/erase.ts'
import { verifyReceipt, type ReceiptReport } from '../operations/receipt.ts'
import { Refusal } from '../operations/refusal.ts'
import { createAsk } from './ask.ts'
import { findingText } from './findings.ts'
import { helpWith, running } from './run.ts'
import { size } from './terminal.ts'

type Options = { owner?: string, yes?: boolean, receipt?: string, verify?: string, publicKey?: boolean, json?: boolean }

export function eraseCommand (program: Command): void {
  program.command('erase')
    .description('Erase everything a user uploaded, and their embedded account, for good: live files, trash, old versions and what is in flight. It stays erased after any restore. Works beside a running gateway; prints a signed receipt.')
    .addOption(new Option('--owner <id>', 'whom to erase').conflicts(['verify', 'publicKey']))
    .option('--yes', 'do not ask; needed where no terminal is')
    .option('--receipt <file>', 'write the receipt into this new file; with the one that has it already, as when this is run once more, nothing is done')
    .addOption(new Option('--verify <receipt>', 'check that a receipt is genuine, and that what it names is gone').conflicts('publicKey'))
    .option('--public-key', 'print the key that receipts are checked with, as a JWK')
    .option('--json', 'print JSON')
    .addHelpText('after', helpWith('upload-gateway erase --owner ada --receipt ada.jws\nupload-gateway erase --verify ada.jws'))
    .action(running(async ({ config, progress }, { owner, yes = false, receipt, verify, publicKey = false }: Options) => {
      if (publicKey) {
        const key = await receiptKey(config)
        return { report: key, text: JSON.stringify(key) }
      }
      if (verify !== undefined) {
        const report = await verifyReceipt(config, { receiptFile: verify, progress })
        return { report, text: verifiedText(report), hasFindings: report.findings.length > 0 }
      }
      if (owner === undefined) throw new Refusal('Name the user: --owner ID. Or check a receipt: --verify FILE.')
      if (!yes) await confirm(owner, createAsk({ input: process.stdin, output: process.stderr }))
      const report = await eraseOwner(config, { owner, receiptFile: receipt, progress })
      return { report, text: erasedText(report, receipt), hasFindings: !report.hadAnything || report.findings.length > 0 }
    }, ({ owner }) => owner !== undefined))
}

/** @throws Refusal unless somebody says yes; `ask` is undefined where nobody can */
export async function confirm (owner: string, ask: ReturnType<typeof createAsk>): Promise<void> {
  if (ask === undefined) throw new Refusal('Nothing was erased: there is no terminal to ask on. Add --yes if you mean it.')
  if (!await ask(`Erase everything that ${owner} uploaded, for good, also from what is restored later?`)) throw new Refusal('Nothing was erased.')
}

export function erasedText (report: EraseReport, receiptFile: string | undefined): string {
  const { erased: { counts, at }, receipt, erasedBefore, hadAnything, findings } = report
  const { avatars, attachments, bytes, accounts } = counts
  const what = [`${avatars} avatar${avatars === 1 ? '' : 's'}`, `${attachments} attachment${attachments === 1 ? '' : 's'}`, ...(accounts > 0 ? ['the account'] : [])]
  // It may be a misspelt id.
  const nobody = hadAnything ? '' : 'Nobody with this id had anything here: is it spelt right? Who is erased stays erased, also if backups have something of theirs.\n'
  const when = erasedBefore === null ? `Erased at ${at}:` : `This user was erased already at ${erasedBefore}, and there was nothing of theirs since. The receipt names`
  return `${findings.map((finding) => `${findingText(finding, finding.mend)}\n\n`).join('')}${nobody}${when} ${what.join(', ')}; ${size(bytes)}.\n${receiptFile === undefined ? `Receipt:\n${receipt}` : `The receipt is in ${receiptFile}.`}`
}

export function verifiedText ({ erased: { at, blobs }, places, findings }: ReceiptReport): string {
  return [
    ...findings.map((finding) => `${findingText(finding, finding.mend)}\n`),
    `The receipt is genuine: ${blobs.length} file${blobs.length === 1 ? '' : 's'} erased at ${at}.`,
    ...places.map(({ path, hasEntry }) => `${path} ${hasEntry ? 'has' : 'does not have'} the erasure.`),
    findings.length === 0 ? 'Nothing of them is on the volume or in the database.' : `${findings.length} finding${findings.length === 1 ? '' : 's'}.`,
  ].join('\n')
}
