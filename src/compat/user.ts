// The user as older clients know it: what the profile says.
import { Type, type Static } from 'typebox'

export const CompatUser = Type.Object({
  id: Type.String(),
  email: Type.Optional(Type.String()),
  displayName: Type.Optional(Type.String()),
  avatarUrl: Type.Union([Type.String(), Type.Null()]),
})

export type UserOf = (id: string) => Promise<Static<typeof CompatUser>>
