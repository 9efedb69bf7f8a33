// What a person sees who starts the gateway in a terminal: where it is, and a first thing to try.
import type { Config } from './config.ts'

/** `home`, `database`: where they are, by name. */
type Running = { readonly address: string, readonly home: string, readonly database: string } & Pick<Config, 'hasAccounts' | 'isReadOnly'>

export function banner ({ address, home, database, ...settings }: Running): string {
  const lines = [
    '',
    `  Upload Gateway is running at ${address}`,
    '',
    `  API      ${address}/docs`,
    `  Uploads  ${home}`,
    `  Records  ${database}`,
    '',
    ...firstSteps(address, settings),
    '',
    '',
  ]
  return lines.join('\n')
}

function firstSteps (address: string, { hasAccounts, isReadOnly }: Pick<Running, 'hasAccounts' | 'isReadOnly'>): string[] {
  if (isReadOnly) return ['  It serves what there is, and refuses every change (READ_ONLY=true).']
  return hasAccounts ? firstUpload(address) : ['  Tokens come from your identity service (ACCOUNTS=off).']
}

const firstUpload = (address: string): string[] => [
  '  Try it: make a token, then set an avatar',
  '',
  '    TOKEN=$(npm run --silent gateway -- token --subject me-first)',
  `    curl -H "Authorization: Bearer $TOKEN" -F avatar=@photo.jpg ${address}/api/avatars/me -X PUT`,
  `    curl -o avatar.jpg ${address}/api/avatars/me-first`,
]
