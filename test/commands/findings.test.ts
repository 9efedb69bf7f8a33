import { test } from 'tap'
import { findingText, verificationText } from '../../src/commands/findings.ts'

const finding = { problem: 'blob-missing', path: 'avatars/x', detail: 'The file is missing.', mend: 'Put it back.' } as const
const counts = { records: 3, hashedFiles: 2, hashedBytes: 2048, allBytes: 4096 }

test('a finding says which file, what is wrong and what mends it', (t) => {
  t.equal(findingText(finding, finding.mend), 'blob-missing  avatars/x\n  The file is missing.\n  Put it back.')
  t.end()
})

test('a check says each finding, and how much was checked', (t) => {
  t.equal(verificationText({ ...counts, findings: [] }), 'Clean: 3 records, 4 KiB; 2 files read and hashed, 2 KiB.')
  t.match(verificationText({ ...counts, findings: [finding] }), /^blob-missing {2}avatars\/x\n[^]*\n\n1 finding: 3 records/)
  t.match(verificationText({ ...counts, findings: [finding, finding], moreFindings: 5 }), /\n\nand 5 more; mend these first\.\n\n7 findings: /)
  t.end()
})

test('names that others chose have no power over the terminal', (t) => {
  t.equal(findingText({ ...finding, path: 'a\u001b]0;x', detail: 'b\n' }, 'c\r'), 'blob-missing  a\\u{1b}]0;x\n  b\\u{a}\n  c\\u{d}')
  t.end()
})
