// What a person sees who starts the gateway in a terminal: where it is, and a first thing to try.
import type { Config } from './config.ts'

export function banner ({ address, config }: { address: string, config: Pick<Config, 'uploadsDir' | 'hasAccounts'> }): string {
  const lines = [
    '',
    `  Upload Gateway is running at ${address}`,
    '',
    `  API      ${address}/docs`,
    `  Uploads  ${config.uploadsDir}`,
    '',
    ...(config.hasAccounts ? firstUpload(address) : ['  Tokens come from your identity service (ACCOUNTS=off).']),
    '',
    '',
  ]
  return lines.join('\n')
}

const firstUpload = (address: string): string[] => [
  '  Try it: make a token, then set an avatar',
  '',
  '    TOKEN=$(npm run --silent gateway -- token --subject me-first)',
  `    curl -H "Authorization: Bearer $TOKEN" -F avatar=@photo.jpg ${address}/api/avatars/me -X PUT`,
  `    curl -o avatar.jpg ${address}/api/avatars/me-first`,
]
