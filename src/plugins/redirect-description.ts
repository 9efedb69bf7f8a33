// How routes that answer with stored bytes say that they may send clients on for them.

export const redirected = {
  302: {
    description: 'Only with DELIVERY=redirect, and for stored bytes as they are: they are at Location, in the object store, for a minute. A Range goes along; credentials must not.',
    headers: { Location: { type: 'string', description: 'A URL that needs no credentials. Not to be kept.' } },
  },
} as const
