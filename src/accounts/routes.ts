// /api/auth: sign-up, log-in and profile of embedded accounts. With accounts off, the profile alone, from the token.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Config } from '../config.ts'
import type { Mint } from '../callers/mint.ts'
import { AccountsOff } from '../errors.ts'
import { authenticate, callerOf } from '../plugins/auth.ts'
import { tokenRequired } from '../plugins/route-description.ts'
import { normalEmail } from './names.ts'
import { createPasswords } from './password.ts'
import type { AccountRecords } from './records.ts'
import { credentials, passwordChange, profile, profileChange, registration, session } from './schema.ts'
import { createAccounts, type Accounts } from './service.ts'
import { createThrottle, type Throttle } from './throttle.ts'

export type AccountRoutesOptions = {
  readonly config: Pick<Config, 'hasAccounts' | 'accountTokenSeconds'>
  readonly records: AccountRecords
  /** Undefined where tokens are only checked, not made. */
  readonly mint: Mint | undefined
  readonly avatarUrlOf: (id: string) => Promise<string | null>
  readonly throttle?: Throttle
}

const about = (summary: string) => ({ tags: ['accounts'], summary })
const aboutCaller = (summary: string) => ({ ...about(summary), security: tokenRequired })
const unlisted = { ...about('Accounts are kept elsewhere'), hide: true }

const forEveryone = (...codes: string[]) => ({ bodyLimit: 16_384, config: { openapi: { codes } } })
const forCallers = (...codes: string[]) => ({ ...forEveryone(...codes), onRequest: authenticate })
const guesses = ['ATTEMPTS_EXCEEDED', 'SERVICE_OVERLOADED']

/** Registered with the prefix /api/auth, after plugins/auth. */
export const accountRoutes: FastifyPluginAsyncTypebox<AccountRoutesOptions> = async (app, options) => {
  app.addHook('onRequest', async (_request, reply) => { reply.header('cache-control', 'no-store') })
  const { config, mint, records, avatarUrlOf, throttle = createThrottle() } = options
  if (!config.hasAccounts || mint === undefined) return await app.register(withoutAccounts, { avatarUrlOf })
  const accounts = createAccounts({ records, passwords: createPasswords(), throttle, mint, tokenSeconds: config.accountTokenSeconds, avatarUrlOf })
  await app.register(withAccounts, { accounts })
}

const withAccounts: FastifyPluginAsyncTypebox<{ accounts: Accounts }> = async (app, { accounts }) => {
  app.addHook('preValidation', tidyEmail)

  app.post('/register', { ...forEveryone('EMAIL_TAKEN', 'ATTEMPTS_EXCEEDED', 'SERVICE_OVERLOADED'), schema: { ...about('Create an account'), body: registration, response: { 201: session } } },
    async (request, reply) => reply.code(201).send(await accounts.register(request.body, request.ip)))

  app.post('/login', { ...forEveryone('CREDENTIALS_INVALID', ...guesses), schema: { ...about('Log in'), body: credentials, response: { 200: session } } },
    async (request) => await accounts.logIn(request.body, request.ip))

  app.get('/profile', { ...forCallers(), schema: { ...aboutCaller('The caller\'s profile'), response: { 200: profile } } },
    async (request) => await accounts.profile(callerOf(request).id))

  app.put('/profile', { ...forCallers('EMAIL_TAKEN', 'PASSWORD_WRONG', ...guesses), schema: { ...aboutCaller('Change the caller\'s name or e-mail address'), body: profileChange, response: { 200: profile } } },
    async (request) => await accounts.changeProfile(callerOf(request).id, request.body, request.ip))

  app.post('/password', { ...forCallers('ACCOUNT_NOT_FOUND', 'PASSWORD_WRONG', ...guesses), schema: { ...aboutCaller('Change the password and end all other tokens'), body: passwordChange, response: { 200: session } } },
    async (request) => await accounts.changePassword(callerOf(request).id, request.body, request.ip))

  app.post('/logout', { ...forCallers('ACCOUNT_NOT_FOUND'), schema: { ...aboutCaller('End all tokens of the account'), response: { 204: Type.Null() } } },
    async (request, reply) => {
      await accounts.logOut(callerOf(request).id)
      return reply.code(204).send(null)
    })
}

const withoutAccounts: FastifyPluginAsyncTypebox<Pick<AccountRoutesOptions, 'avatarUrlOf'>> = async (app, { avatarUrlOf }) => {
  const fromToken = async (request: FastifyRequest) => {
    const { id } = callerOf(request)
    return { user: { id, avatarUrl: await avatarUrlOf(id) } }
  }
  app.get('/profile', { ...forCallers(), schema: { ...aboutCaller('The caller\'s profile'), response: { 200: profile } } }, fromToken)
  app.put('/profile', { ...forCallers(), schema: { ...aboutCaller('The caller\'s profile, which is kept elsewhere'), response: { 200: profile } } }, fromToken)

  // Refused onRequest, before a body can be found wrong.
  const refuse = async () => { throw new AccountsOff() }
  for (const url of ['/register', '/login', '/password', '/logout']) {
    app.post(url, { onRequest: refuse, schema: { ...unlisted } }, refuse)
  }
}

/** So that the schema judges the address without what surrounds it. */
async function tidyEmail ({ body }: FastifyRequest): Promise<void> {
  if (typeof body === 'object' && body !== null && 'email' in body && typeof body.email === 'string') body.email = normalEmail(body.email)
}
