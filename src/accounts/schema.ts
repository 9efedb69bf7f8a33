// What the account routes take and answer. The answers list their fields, so nothing else of a row can leave.
import { Type, type Static } from 'typebox'

// 254: RFC 5321 section 4.5.3.1.3. The format would take quadratic time on a longer text.
const email = Type.String({ format: 'email', maxLength: 254 })
const displayName = Type.String({ maxLength: 100, description: 'Default: the part of the e-mail address before the @.' })
// The upper bound keeps a password from being work for the server.
const newPassword = Type.String({ minLength: 8, maxLength: 256 })
const password = Type.String({ minLength: 1, maxLength: 256 })

export const registration = Type.Object({ email, password: newPassword, displayName: Type.Optional(displayName) })
export const credentials = Type.Object({ email, password })
export const passwordChange = Type.Object({ currentPassword: password, newPassword })
export const profileChange = Type.Object({
  email: Type.Optional(email),
  displayName: Type.Optional(displayName),
  currentPassword: Type.Optional(Type.String({ maxLength: 256, description: 'Checked when sent.' })),
})

const avatarUrl = Type.Union([Type.String(), Type.Null()])
const user = Type.Object({ id: Type.String(), email: Type.String(), displayName: Type.String(), avatarUrl })

export const session = Type.Object({ token: Type.String(), user })
export const profile = Type.Object({
  user: Type.Object({ id: Type.String(), email: Type.Optional(Type.String()), displayName: Type.Optional(Type.String()), avatarUrl }),
}, { description: 'Only id and avatarUrl for a token that belongs to no account of this gateway.' })

export type Registration = Static<typeof registration>
export type Credentials = Static<typeof credentials>
export type PasswordChange = Static<typeof passwordChange>
export type ProfileChange = Static<typeof profileChange>
export type Session = Static<typeof session>
export type Profile = Static<typeof profile>
