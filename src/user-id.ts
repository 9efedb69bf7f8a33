// What can be the id of a user: in a token, in an address, and in what is kept. Who a caller is and what they may do is not decided here.

/** 1 to 128 of `A-Z a-z 0-9 . _ : @ -`; never `me`, which is an address, nor a dot segment, which no URL can carry. */
export const userIdPattern = '^(?!(?:me|\\.|\\.\\.)$)[A-Za-z0-9._:@-]{1,128}$'

const userId = new RegExp(userIdPattern)

export const isUserId = (text: string): boolean => userId.test(text)
