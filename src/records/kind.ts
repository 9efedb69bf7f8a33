// Which of the two databases a client speaks to: for the few statements that only one of them knows, or needs.

/** Both clients have one type here, so it is Prisma that says it. */
export const isPostgres = (client: object): boolean => (client as { _activeProvider?: unknown })._activeProvider === 'postgresql'
