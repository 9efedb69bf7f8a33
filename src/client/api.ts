// The shapes of what the client calls, as /openapi.json describes it. Made by `npm run client:types`: what is changed here by hand is lost.
/* eslint-disable */
export interface paths {
    "/api/attachments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List attachments, newest first */
        get: operations["getAttachments"];
        put?: never;
        /** Keep files: all of the request, or none */
        post: operations["postAttachments"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/attachments/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What an attachment is */
        get: operations["getAttachmentsById"];
        put?: never;
        post?: never;
        /** Delete an attachment */
        delete: operations["deleteAttachmentsById"];
        options?: never;
        head?: never;
        /** Change what is said of an attachment */
        patch: operations["patchAttachmentsById"];
        trace?: never;
    };
    "/api/attachments/{id}/content": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The bytes of an attachment */
        get: operations["getAttachmentsByIdContent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/attachments/{id}/links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The links to an attachment that stand */
        get: operations["getAttachmentsByIdLinks"];
        put?: never;
        /**
         * Make a link to an attachment
         * @description A URL that opens the attachment without a token, for whoever has it, until it expires or is revoked. At most 1000 to one attachment stand at a time.
         */
        post: operations["postAttachmentsByIdLinks"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/attachments/{id}/links/{linkId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revoke a link */
        delete: operations["deleteAttachmentsByIdLinksByLinkId"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/attachments/{id}/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A picture attachment in the size of a screen */
        get: operations["getAttachmentsByIdPreview"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/attachments/{id}/restore": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Bring an attachment back from the trash
         * @description Needs a token with the scope uploads:admin. Undoes a deletion, whoever the owner is, for as long as the trash keeps the attachment. One that was not deleted stays as it is.
         */
        post: operations["postAttachmentsByIdRestore"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/attachments/links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make links to several attachments
         * @description One link to each of those that the caller may hand out; the ids of the others are named.
         */
        post: operations["postAttachmentsLinks"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/avatars/{userId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The current picture of a user */
        get: operations["getAvatarsByUserId"];
        /** Set the picture of another user */
        put: operations["putAvatarsByUserId"];
        post?: never;
        /** Remove the picture of another user */
        delete: operations["deleteAvatarsByUserId"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/avatars/{userId}/{version}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One version of a user's picture */
        get: operations["getAvatarsByUserIdByVersion"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/avatars/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Set your picture */
        put: operations["putAvatarsMe"];
        post?: never;
        /** Remove your picture */
        delete: operations["deleteAvatarsMe"];
        options?: never;
        head?: never;
        /** Show another part of your picture */
        patch: operations["patchAvatarsMe"];
        trace?: never;
    };
    "/api/avatars/me/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Your pictures that can be gone back to */
        get: operations["getAvatarsMeVersions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/avatars/me/versions/{version}/restore": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Go back to an earlier picture */
        post: operations["postAvatarsMeVersionsByVersionRestore"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/limits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What may be uploaded */
        get: operations["getLimits"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/media-session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Begin a media session
         * @description Sets the cookie `upload_gateway_media`, which opens the bytes of attachments that the user may read (content and preview, GET and HEAD) and nothing else, so that pictures show in a plain img element. It counts only where no Authorization header is sent, gives no scope, and ends with the token it was made with. Browsers send it from pages of the same site as the gateway; those of another origin ask with credentials and must be listed in CORS_ORIGINS.
         */
        post: operations["postMediaSession"];
        /** End the media session of this browser */
        delete: operations["deleteMediaSession"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/resumable": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Begin a resumable upload
         * @description The answer says in Location where the bytes go, by PATCH: the first of them may come along. With all bytes the file is checked and kept, as an attachment or as the avatar, as one that comes in one piece. Send an Idempotency-Key, and a creation whose answer was lost is not begun twice.
         */
        post: operations["postResumable"];
        delete?: never;
        /** What of tus is spoken here */
        options: operations["optionsResumable"];
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/resumable/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a resumable upload is, and has become */
        get: operations["getResumableById"];
        put?: never;
        /** The same as PATCH, HEAD or DELETE, for clients that can only send POST */
        post: operations["postResumableById"];
        /**
         * End a resumable upload
         * @description What it has become stays.
         */
        delete: operations["deleteResumableById"];
        /** What of tus is spoken here */
        options: operations["optionsResumableById"];
        /** Where a resumable upload goes on */
        head: operations["headResumableById"];
        /** Send more bytes */
        patch: operations["patchResumableById"];
        trace?: never;
    };
    "/api/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How much a user has, and may have */
        get: operations["getUsage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Attachment: {
            alt: string | null;
            contentType: string;
            contextId: string | null;
            contextType: string | null;
            /** Format: date-time */
            createdAt: string;
            expiresAt: string | null;
            /** @description For people: never a path. */
            filename: string;
            height: number | null;
            /** Format: uuid */
            id: string;
            /** @description Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent. */
            metadataRemoved: string[];
            /** @description The user it belongs to: 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me". */
            ownerId: string;
            /** @description Ids of the users who may read it beside its owner; told to the owner and to services only. */
            readers?: string[];
            /** @description clean: the scanner knew nothing against the bytes as they arrived. unscanned: it could not look at them, and they were kept all the same. null: there was no scanner. */
            scan: ("clean" | "unscanned") | null;
            /** @description Of the stored bytes, lower-case hex. */
            sha256: string;
            /** @description Bytes. */
            size: number;
            thumbhash: string | null;
            /** @description Where the bytes are; never changes. */
            url: string;
            /**
             * @description private: the owner, its readers and services. public: anyone with the URL.
             * @enum {unknown}
             */
            visibility: "private" | "public";
            width: number | null;
        };
        Avatar: {
            /** @description Never changes for a user; always the current picture. */
            avatarUrl: string;
            /** @example image/webp */
            contentType: string;
            /** @description null: the gateway chooses. */
            crop: string | null;
            /** @description Pixels, upright. */
            height: number;
            /** @description Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent. */
            metadataRemoved: string[];
            /** @description clean: the scanner knew nothing against the bytes as they arrived. unscanned: it could not look at them, and they were kept all the same. null: there was no scanner. */
            scan: ("clean" | "unscanned") | null;
            /** @description Of the stored bytes, lower-case hex. */
            sha256: string;
            /** @description Bytes. */
            size: number;
            thumbhash: string | null;
            /** Format: date-time */
            updatedAt: string;
            userId: string;
            /** Format: uuid */
            version: string;
            /** @description This picture for ever; safe to cache. */
            versionedUrl: string;
            /** @description Pixels, upright. */
            width: number;
        };
        Erased: {
            /** Format: date-time */
            at: string;
            blobs: {
                /** @description Keyed hash of the sha-256 of the bytes. */
                content: string;
                id: string;
            }[];
            counts: {
                accounts: number;
                attachments: number;
                avatars: number;
                bytes: number;
            };
            /** @description Counts the erasures of the volume. */
            epoch: number;
            /** @description Of the entry in the ledger of erasures. */
            id: string;
            /** @description Keyed hash of the user's id. */
            owner: string;
        };
        Link: {
            /** Format: uuid */
            attachmentId: string;
            /** Format: date-time */
            createdAt: string;
            /** @description Who made it. */
            creatorId: string;
            /** Format: date-time */
            expiresAt: string;
            /** Format: uuid */
            id: string;
            /** @description Opens the attachment without a token. What comes after the last slash is only for people to read. */
            url: string;
        };
        /**
         * @description RFC 9457. A 5xx says nothing of its cause: the requestId finds it in the log.
         *
         *     | code | status | meaning |
         *     |---|---|---|
         *     | `REQUEST_INVALID` | 400 | The request is not valid: … |
         *     | `BODY_TOO_LARGE` | 413 | The JSON body is larger than this route accepts. |
         *     | `CONTENT_TYPE_UNSUPPORTED` | 415 | This route does not accept that Content-Type; send … |
         *     | `ROUTE_NOT_FOUND` | 404 | There is nothing at this address; /docs lists all routes. |
         *     | `METHOD_NOT_ALLOWED` | 405 | This address does not take that method; the Allow header lists those it does. |
         *     | `PRECONDITION_FAILED` | 412 | The file is not the version the request was made for. |
         *     | `RANGE_NOT_SATISFIABLE` | 416 | The range lies outside the file; Content-Range gives its size in bytes. |
         *     | `REQUEST_TIMEOUT` | 408 | The request did not arrive in time; send it again. |
         *     | `HEADERS_TOO_LARGE` | 431 | The request headers are larger than this service takes. |
         *     | `TOKEN_MISSING` | 401 | This route needs a token: send the header "Authorization: Bearer" followed by a token. |
         *     | `TOKEN_INVALID` | 401 | The token is not valid or has expired; get a new one. |
         *     | `SCOPE_MISSING` | 403 | This needs a token with the scope … |
         *     | `OWNER_FORBIDDEN` | 403 | Acting for another user needs a token with the scope uploads:service. |
         *     | `KEYS_UNAVAILABLE` | 503 | The keys that tokens are checked with cannot be fetched right now; try again. |
         *     | `EMAIL_TAKEN` | 409 | An account with this e-mail address exists; log in instead. |
         *     | `CREDENTIALS_INVALID` | 401 | E-mail address or password is wrong. |
         *     | `PASSWORD_WRONG` | 403 | The current password is wrong. |
         *     | `ATTEMPTS_EXCEEDED` | 429 | Too many attempts; try again after the seconds in Retry-After. |
         *     | `ACCOUNTS_OFF` | 404 | This gateway keeps no accounts of its own; get a token from your identity service. |
         *     | `ACCOUNT_NOT_FOUND` | 404 | This token belongs to no account of this gateway. |
         *     | `UPLOAD_MISSING` | 400 | The request carries no file: send a multipart file part, or the bytes as the body. |
         *     | `UPLOAD_MALFORMED` | 400 | The body cannot be read: … |
         *     | `UPLOAD_FIELD_INVALID` | 400 | A form field is not valid: … |
         *     | `UPLOAD_FILES_EXCEEDED` | 413 | One request takes at most … files; send the rest in another. |
         *     | `UPLOAD_TOO_LARGE` | 413 | The file is larger than … bytes, the most this route takes. |
         *     | `UPLOAD_TYPE_REJECTED` | 415 | The bytes are not of a type this route takes; send … |
         *     | `UPLOAD_STALLED` | 408 | The upload stood still or came too slowly; send it again. |
         *     | `UPLOAD_ABORTED` | 499 | The client closed the connection before the upload was complete. |
         *     | `UPLOAD_CONFLICT` | 503 | The upload could not be recorded because something else changed meanwhile; send it again. |
         *     | `OWNER_ERASED` | 410 | This user's uploads were erased, while this one was under way or since; nothing of theirs is kept. |
         *     | `IMAGE_INVALID` | 422 | The picture is damaged and cannot be read; export it again and resend. |
         *     | `IMAGE_TOO_LARGE` | 422 | The picture has more than … pixels, a side over … pixels, or more than … frames; make it smaller and resend. |
         *     | `IMAGE_TOO_SLOW` | 422 | The picture takes too long to read; scale it down, or export it in a simpler format, and resend. |
         *     | `METADATA_UNREADABLE` | 422 | It cannot be told what is personal in this picture, as its file is damaged, or several in a row; export it again and resend, or send it with metadata=keep to store it as it is. |
         *     | `PICTURE_REPLACED` | 409 | The picture was replaced or removed meanwhile; look at the new one and try again. |
         *     | `CROP_INVALID` | 422 | The crop is empty or reaches out of the picture; it must be x,y,width,height as fractions of the upright picture, with x + width and y + height at most 1. |
         *     | `UPLOAD_DIGEST_MISMATCH` | 422 | The bytes that arrived are not those that were sent: … differs. Nothing was kept; send them again. |
         *     | `DIGEST_INVALID` | 400 | A digest cannot be read: … |
         *     | `UPLOAD_INFECTED` | 422 | The scanner calls this file harmful (…); nothing of it was kept. |
         *     | `SCANNER_UNAVAILABLE` | 503 | The file could not be scanned for harmful content and was not kept; try again later. |
         *     | `IDEMPOTENCY_KEY_INVALID` | 400 | The Idempotency-Key must be 1 to 255 visible ASCII characters, such as a UUID. |
         *     | `IDEMPOTENCY_KEY_REUSED` | 422 | This Idempotency-Key was used for another request; take a new one for each upload. |
         *     | `IDEMPOTENCY_IN_PROGRESS` | 409 | The request with this Idempotency-Key is still under way; ask again after the seconds in Retry-After. |
         *     | `QUOTA_EXCEEDED` | 413 | This would be more than … GET /api/usage says how much there is. |
         *     | `RATE_EXCEEDED` | 429 | This caller has used up its …; go on after the seconds in Retry-After. |
         *     | `RESUMABLE_INVALID` | 400 | The resumable upload is not valid: … |
         *     | `RESUMABLE_NOT_FOUND` | 404 | There is no such resumable upload; begin a new one. |
         *     | `RESUMABLE_GONE` | 410 | This resumable upload has expired, its bytes are gone, or it was ended while this request was under way; begin a new one. |
         *     | `RESUMABLE_OFFSET_WRONG` | 409 | The upload stands at byte …; ask for the offset with HEAD and go on from there. |
         *     | `RESUMABLE_TAKEN_OVER` | 409 | A later request has taken over this upload; ask for the offset with HEAD and go on from there. |
         *     | `RESUMABLE_FINISHING` | 423 | All bytes of this upload are kept, but it cannot be finished right now: … It is tried again by itself; ask again with HEAD after the seconds in Retry-After. |
         *     | `RESUMABLE_FINAL` | 403 | This upload is made of others and takes no bytes of its own. |
         *     | `RESUMABLE_VERSION` | 412 | This speaks tus 1.0.0: send Tus-Resumable: 1.0.0. |
         *     | `CHECKSUM_MISMATCH` | 460 | The bytes of this request are not those that were sent: Upload-Checksum differs. They were not kept; send them again. |
         *     | `LINK_NOT_FOUND` | 404 | There is no such link, or it has expired or was revoked. |
         *     | `LINKS_EXCEEDED` | 409 | There are … links to this attachment, the most there may be; use one of them, or revoke one. |
         *     | `AVATAR_NOT_FOUND` | 404 | There is no such avatar. |
         *     | `ATTACHMENT_NOT_FOUND` | 404 | There is no such attachment. |
         *     | `PREVIEW_UNAVAILABLE` | 404 | There is no preview of this attachment: it is no picture, or one that is damaged or too large to be shown. Its bytes are at /content. |
         *     | `FILE_NOT_FOUND` | 404 | There is no file at this address. |
         *     | `AVATAR_URL_REJECTED` | 403 | The avatar must be the URL of a picture that this user uploaded. |
         *     | `STORAGE_FULL` | 507 | The storage is full; this can be done again once space is free. |
         *     | `STORAGE_UNAVAILABLE` | 503 | The storage cannot do this right now; try again later. |
         *     | `DATABASE_UNAVAILABLE` | 503 | The database cannot do this right now; try again later. |
         *     | `SERVICE_OVERLOADED` | 503 | The service has more work than it can do right now; try again after the seconds in Retry-After. |
         *     | `IMAGES_BUSY` | 503 | More pictures are waiting than the service can work on right now; try again after the seconds in Retry-After. |
         *     | `READ_ONLY` | 503 | The service takes no changes for now, and serves what there is; send it again after the seconds in Retry-After. |
         *     | `SERVICE_STOPPING` | 503 | The service is stopping; try again. |
         *     | `INTERNAL_ERROR` | 500 | Something went wrong on our side; the requestId finds it in the log. |
         */
        Problem: {
            /**
             * @description For programs; never changes meaning.
             * @enum {string}
             */
            code: "REQUEST_INVALID" | "BODY_TOO_LARGE" | "CONTENT_TYPE_UNSUPPORTED" | "ROUTE_NOT_FOUND" | "METHOD_NOT_ALLOWED" | "PRECONDITION_FAILED" | "RANGE_NOT_SATISFIABLE" | "REQUEST_TIMEOUT" | "HEADERS_TOO_LARGE" | "TOKEN_MISSING" | "TOKEN_INVALID" | "SCOPE_MISSING" | "OWNER_FORBIDDEN" | "KEYS_UNAVAILABLE" | "EMAIL_TAKEN" | "CREDENTIALS_INVALID" | "PASSWORD_WRONG" | "ATTEMPTS_EXCEEDED" | "ACCOUNTS_OFF" | "ACCOUNT_NOT_FOUND" | "UPLOAD_MISSING" | "UPLOAD_MALFORMED" | "UPLOAD_FIELD_INVALID" | "UPLOAD_FILES_EXCEEDED" | "UPLOAD_TOO_LARGE" | "UPLOAD_TYPE_REJECTED" | "UPLOAD_STALLED" | "UPLOAD_ABORTED" | "UPLOAD_CONFLICT" | "OWNER_ERASED" | "IMAGE_INVALID" | "IMAGE_TOO_LARGE" | "IMAGE_TOO_SLOW" | "METADATA_UNREADABLE" | "PICTURE_REPLACED" | "CROP_INVALID" | "UPLOAD_DIGEST_MISMATCH" | "DIGEST_INVALID" | "UPLOAD_INFECTED" | "SCANNER_UNAVAILABLE" | "IDEMPOTENCY_KEY_INVALID" | "IDEMPOTENCY_KEY_REUSED" | "IDEMPOTENCY_IN_PROGRESS" | "QUOTA_EXCEEDED" | "RATE_EXCEEDED" | "RESUMABLE_INVALID" | "RESUMABLE_NOT_FOUND" | "RESUMABLE_GONE" | "RESUMABLE_OFFSET_WRONG" | "RESUMABLE_TAKEN_OVER" | "RESUMABLE_FINISHING" | "RESUMABLE_FINAL" | "RESUMABLE_VERSION" | "CHECKSUM_MISMATCH" | "LINK_NOT_FOUND" | "LINKS_EXCEEDED" | "AVATAR_NOT_FOUND" | "ATTACHMENT_NOT_FOUND" | "PREVIEW_UNAVAILABLE" | "FILE_NOT_FOUND" | "AVATAR_URL_REJECTED" | "STORAGE_FULL" | "STORAGE_UNAVAILABLE" | "DATABASE_UNAVAILABLE" | "SERVICE_OVERLOADED" | "IMAGES_BUSY" | "READ_ONLY" | "SERVICE_STOPPING" | "INTERNAL_ERROR";
            /** @description What went wrong and what to do, for people. */
            detail: string;
            /** @description With REQUEST_INVALID and UPLOAD_FIELD_INVALID: each thing that is wrong. */
            errors?: {
                /** @description What is wrong with it. */
                detail: string;
                /** @enum {unknown} */
                in: "body" | "query" | "path" | "header" | "form";
                /** @description A JSON pointer into the body, or the name of the parameter or field. */
                name: string;
            }[];
            /** @description The X-Request-Id of the answer. */
            requestId: string;
            /** @description The HTTP status. */
            status: number;
            /** @description The phrase that belongs to the status. */
            title: string;
            /**
             * @description Always this: code tells problems apart.
             * @constant
             */
            type: "about:blank";
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getAttachments: {
        parameters: {
            query?: {
                /** @description Which of those: 1 to 128 ASCII characters without spaces. */
                contextId?: string;
                /** @description What it belongs to, such as message or ticket: 1 to 64 of A-Z a-z 0-9 . _ -. */
                contextType?: string;
                cursor?: string;
                /** @description Up to 200 ids, comma separated: just those of them the caller may read. */
                ids?: string;
                limit?: number;
                /** @description With the scope uploads:service: whose. Default: what X-Owner-Id says, or else the caller's. */
                owner?: string;
            };
            header?: {
                /** @description With the scope uploads:service: the user to act for. Default: the caller. */
                "x-owner-id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        attachments: components["schemas"]["Attachment"][];
                        nextCursor: string | null;
                    };
                };
            };
        };
    };
    postAttachments: {
        parameters: {
            query?: {
                /** @description Which of those: 1 to 128 ASCII characters without spaces. */
                contextId?: string;
                /** @description What it belongs to, such as message or ticket: 1 to 64 of A-Z a-z 0-9 . _ -. */
                contextType?: string;
                /** @description When it goes to the trash by itself: a time in the future, at most 10 years from now, with its time zone, as in 2030-12-31T23:59:59Z. */
                expiresAt?: string;
                /** @description keep: store the bytes as they are sent. remove: without location, names and the like; the pixels stay the same. */
                metadata?: "keep" | "remove";
                /** @description The user it belongs to: 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me". */
                ownerId?: string;
                /** @description Who may read it beside its owner: up to 500 user ids, comma separated. */
                readers?: string;
                /** @description private: the owner, its readers and services. public: anyone with the URL. */
                visibility?: "private" | "public";
            };
            header?: {
                /** @description RFC 9530: sha-256 or sha-512 of the body as it is sent, also of a form. When the bytes that arrive are others, nothing is kept. */
                "content-digest"?: string;
                /** @description Any name for this request that was not used before, such as a UUID. Sent again with the same key and content, it has no second effect and gets the same answer, for 24 hours. */
                "idempotency-key"?: string;
                /** @description The same of a body that is the file itself. In a form, a field sha256 says it of the next file. */
                "repr-digest"?: string;
                /** @description With the scope uploads:service: the user to act for. Default: the caller. */
                "x-owner-id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": string;
                "multipart/form-data": {
                    /**
                     * @description Which of those: 1 to 128 ASCII characters without spaces.
                     * @example
                     */
                    contextId?: string;
                    /**
                     * @description What it belongs to, such as message or ticket: 1 to 64 of A-Z a-z 0-9 . _ -.
                     * @example
                     */
                    contextType?: string;
                    /**
                     * @description When it goes to the trash by itself: a time in the future, at most 10 years from now, with its time zone, as in 2030-12-31T23:59:59Z.
                     * @example
                     */
                    expiresAt?: string;
                    /** @description One or more file parts, whatever their names. */
                    file: string[];
                    /**
                     * @description keep: store the bytes as they are sent. remove: without location, names and the like; the pixels stay the same.
                     * @enum {unknown}
                     */
                    metadata?: "keep" | "remove";
                    /**
                     * @description The user it belongs to: 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me".
                     * @example
                     */
                    ownerId?: string;
                    /**
                     * @description Who may read it beside its owner: up to 500 user ids, comma separated.
                     * @example
                     */
                    readers?: string;
                    /** @description Of the next file, and of no other. When the bytes that arrive are others, nothing is kept. */
                    sha256?: string;
                    /**
                     * @description private: the owner, its readers and services. public: anyone with the URL.
                     * @enum {unknown}
                     */
                    visibility?: "private" | "public";
                };
            };
        };
        responses: {
            /** @description Done. */
            201: {
                headers: {
                    /** @description Where there is a limit: what is left of it (r), and when all of it is there again (t, seconds). */
                    RateLimit?: string;
                    /** @description Where there is a limit: how much (q) in how many seconds (w). */
                    "RateLimit-Policy"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        attachments: components["schemas"]["Attachment"][];
                    };
                };
            };
        };
    };
    getAttachmentsById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        alt: string | null;
                        contentType: string;
                        contextId: string | null;
                        contextType: string | null;
                        /** Format: date-time */
                        createdAt: string;
                        expiresAt: string | null;
                        /** @description For people: never a path. */
                        filename: string;
                        height: number | null;
                        /** Format: uuid */
                        id: string;
                        /** @description Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent. */
                        metadataRemoved: string[];
                        /** @description The user it belongs to: 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me". */
                        ownerId: string;
                        /** @description Ids of the users who may read it beside its owner; told to the owner and to services only. */
                        readers?: string[];
                        /** @description clean: the scanner knew nothing against the bytes as they arrived. unscanned: it could not look at them, and they were kept all the same. null: there was no scanner. */
                        scan: ("clean" | "unscanned") | null;
                        /** @description Of the stored bytes, lower-case hex. */
                        sha256: string;
                        /** @description Bytes. */
                        size: number;
                        thumbhash: string | null;
                        /** @description Where the bytes are; never changes. */
                        url: string;
                        /**
                         * @description private: the owner, its readers and services. public: anyone with the URL.
                         * @enum {unknown}
                         */
                        visibility: "private" | "public";
                        width: number | null;
                    };
                };
            };
        };
    };
    deleteAttachmentsById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    patchAttachmentsById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    alt?: string | null;
                    contextId?: string | null;
                    contextType?: string | null;
                    expiresAt?: string | null;
                    filename?: string;
                    /** @description The users who may read it beside its owner, all of them: those who are not named may not any more. */
                    readers?: string[];
                    /**
                     * @description private: the owner, its readers and services. public: anyone with the URL.
                     * @enum {unknown}
                     */
                    visibility?: "private" | "public";
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        alt: string | null;
                        contentType: string;
                        contextId: string | null;
                        contextType: string | null;
                        /** Format: date-time */
                        createdAt: string;
                        expiresAt: string | null;
                        /** @description For people: never a path. */
                        filename: string;
                        height: number | null;
                        /** Format: uuid */
                        id: string;
                        /** @description Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent. */
                        metadataRemoved: string[];
                        /** @description The user it belongs to: 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me". */
                        ownerId: string;
                        /** @description Ids of the users who may read it beside its owner; told to the owner and to services only. */
                        readers?: string[];
                        /** @description clean: the scanner knew nothing against the bytes as they arrived. unscanned: it could not look at them, and they were kept all the same. null: there was no scanner. */
                        scan: ("clean" | "unscanned") | null;
                        /** @description Of the stored bytes, lower-case hex. */
                        sha256: string;
                        /** @description Bytes. */
                        size: number;
                        thumbhash: string | null;
                        /** @description Where the bytes are; never changes. */
                        url: string;
                        /**
                         * @description private: the owner, its readers and services. public: anyone with the URL.
                         * @enum {unknown}
                         */
                        visibility: "private" | "public";
                        width: number | null;
                    };
                };
            };
        };
    };
    getAttachmentsByIdContent: {
        parameters: {
            query?: {
                /** @description true, or no value: ask browsers to save rather than show. */
                download?: "true" | "1" | "yes" | "" | "false" | "0" | "no";
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The bytes. */
            200: {
                headers: {
                    /** @description RFC 9530: sha-256 of the whole file, also when only a range of it is sent. Left out for Want-Repr-Digest: sha-256=0. */
                    "Repr-Digest"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "*/*": string;
                };
            };
            /** @description A range of them. */
            206: {
                headers: {
                    /** @description RFC 9530: sha-256 of the whole file, also when only a range of it is sent. Left out for Want-Repr-Digest: sha-256=0. */
                    "Repr-Digest"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "*/*": string;
                };
            };
            /** @description Only with DELIVERY=redirect, and for stored bytes as they are: they are at Location, in the object store, for a minute. A Range goes along; credentials must not. */
            302: {
                headers: {
                    /** @description A URL that needs no credentials. Not to be kept. */
                    Location?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    getAttachmentsByIdLinks: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        links: components["schemas"]["Link"][];
                    };
                };
            };
        };
    };
    postAttachmentsByIdLinks: {
        parameters: {
            query?: never;
            header?: {
                /** @description Any name for this request that was not used before, such as a UUID. Sent again with the same key and content, it has no second effect and gets the same answer, for 24 hours. */
                "idempotency-key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description The URL asks browsers to save rather than show. */
                    download?: boolean;
                    /**
                     * @description Seconds until it ends.
                     * @default 3600
                     */
                    expiresIn: number;
                };
            };
        };
        responses: {
            /** @description Done. */
            201: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: uuid */
                        attachmentId: string;
                        /** Format: date-time */
                        createdAt: string;
                        /** @description Who made it. */
                        creatorId: string;
                        /** Format: date-time */
                        expiresAt: string;
                        /** Format: uuid */
                        id: string;
                        /** @description Opens the attachment without a token. What comes after the last slash is only for people to read. */
                        url: string;
                    };
                };
            };
        };
    };
    deleteAttachmentsByIdLinksByLinkId: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
                linkId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    getAttachmentsByIdPreview: {
        parameters: {
            query?: {
                /** @description true: keep the motion of an animation, as WebP; for who names WebP in Accept, or as the format. Others stand still. */
                animated?: boolean;
                /** @description Default: the best of AVIF, WebP and JPEG, or PNG, that the Accept header names; with no size and no motion asked for either, the stored bytes. Name one behind caches that ignore Vary. */
                format?: "avif" | "webp" | "jpeg" | "png";
                /** @description Pixels of the longest side: the next of 320, 640, 800, 1280, and never more than the picture has. */
                size?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The picture. */
            200: {
                headers: {
                    /** @description RFC 9530: sha-256 of the whole file, also when only a range of it is sent. Left out for Want-Repr-Digest: sha-256=0. */
                    "Repr-Digest"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "image/avif": string;
                    "image/jpeg": string;
                    "image/png": string;
                    "image/webp": string;
                };
            };
            /** @description A range of it. */
            206: {
                headers: {
                    /** @description RFC 9530: sha-256 of the whole file, also when only a range of it is sent. Left out for Want-Repr-Digest: sha-256=0. */
                    "Repr-Digest"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "*/*": string;
                };
            };
        };
    };
    postAttachmentsByIdRestore: {
        parameters: {
            query?: never;
            header?: {
                /** @description Any name for this request that was not used before, such as a UUID. Sent again with the same key and content, it has no second effect and gets the same answer, for 24 hours. */
                "idempotency-key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The attachment, which is back where it was. */
            200: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        alt: string | null;
                        contentType: string;
                        contextId: string | null;
                        contextType: string | null;
                        /** Format: date-time */
                        createdAt: string;
                        expiresAt: string | null;
                        /** @description For people: never a path. */
                        filename: string;
                        height: number | null;
                        /** Format: uuid */
                        id: string;
                        /** @description Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent. */
                        metadataRemoved: string[];
                        /** @description The user it belongs to: 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me". */
                        ownerId: string;
                        /** @description Ids of the users who may read it beside its owner; told to the owner and to services only. */
                        readers?: string[];
                        /** @description clean: the scanner knew nothing against the bytes as they arrived. unscanned: it could not look at them, and they were kept all the same. null: there was no scanner. */
                        scan: ("clean" | "unscanned") | null;
                        /** @description Of the stored bytes, lower-case hex. */
                        sha256: string;
                        /** @description Bytes. */
                        size: number;
                        thumbhash: string | null;
                        /** @description Where the bytes are; never changes. */
                        url: string;
                        /**
                         * @description private: the owner, its readers and services. public: anyone with the URL.
                         * @enum {unknown}
                         */
                        visibility: "private" | "public";
                        width: number | null;
                    };
                };
            };
        };
    };
    postAttachmentsLinks: {
        parameters: {
            query?: never;
            header?: {
                /** @description Any name for this request that was not used before, such as a UUID. Sent again with the same key and content, it has no second effect and gets the same answer, for 24 hours. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description The URL asks browsers to save rather than show. */
                    download?: boolean;
                    /**
                     * @description Seconds until it ends.
                     * @default 3600
                     */
                    expiresIn: number;
                    /** @description Of attachments. */
                    ids: string[];
                };
            };
        };
        responses: {
            /** @description Done. */
            201: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description In the order of the ids. */
                        links: components["schemas"]["Link"][];
                        /** @description The ids of attachments that do not exist, that the caller may not hand out, or to which there are 1000 links already. */
                        missing: string[];
                    };
                };
            };
        };
    };
    getAvatarsByUserId: {
        parameters: {
            query?: {
                /** @description true: keep the motion of an animation, as WebP; for who names WebP in Accept, or as the format. Others stand still. */
                animated?: boolean;
                /** @description What to draw for a user who has no picture: initials (an identicon where no letter of the name can be drawn), or an identicon; as SVG unless a size or a format is asked for. 404, which is the default, draws nothing. */
                fallback?: "initials" | "identicon" | "404";
                /** @description Default: the best of AVIF, WebP and JPEG, or PNG, that the Accept header names; with no size and no motion asked for either, the stored bytes. Name one behind caches that ignore Vary. */
                format?: "avif" | "webp" | "jpeg" | "png";
                /** @description Whose initials to draw, instead of those of the name that the gateway knows. */
                name?: string;
                /** @description Pixels of the square: the next of 32, 64, 96, 128, 256, 512, 1024, and never more than the picture has. */
                size?: number;
            };
            header?: never;
            path: {
                userId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The picture. */
            200: {
                headers: {
                    /** @description RFC 9530: sha-256 of the whole file, also when only a range of it is sent. Left out for Want-Repr-Digest: sha-256=0. */
                    "Repr-Digest"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "image/avif": string;
                    "image/gif": string;
                    "image/heic": string;
                    "image/heif": string;
                    "image/jpeg": string;
                    "image/png": string;
                    "image/svg+xml": string;
                    "image/webp": string;
                };
            };
            /** @description A range of it. */
            206: {
                headers: {
                    /** @description RFC 9530: sha-256 of the whole file, also when only a range of it is sent. Left out for Want-Repr-Digest: sha-256=0. */
                    "Repr-Digest"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "*/*": string;
                };
            };
            /** @description Only with DELIVERY=redirect, and for stored bytes as they are: they are at Location, in the object store, for a minute. A Range goes along; credentials must not. */
            302: {
                headers: {
                    /** @description A URL that needs no credentials. Not to be kept. */
                    Location?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    putAvatarsByUserId: {
        parameters: {
            query?: {
                /** @description The part that square sizes show: x,y,width,height as fractions (0 to 1) of the upright picture, such as 0.1,0,0.8,0.8. */
                crop?: string;
                /** @description keep: store the bytes as they are sent. remove: without location, names and the like; the pixels stay the same. */
                metadata?: "keep" | "remove";
            };
            header?: {
                /** @description RFC 9530: sha-256 or sha-512 of the body as it is sent, also of a form. When the bytes that arrive are others, nothing is kept. */
                "content-digest"?: string;
                /** @description Any name for this request that was not used before, such as a UUID. Sent again with the same key and content, it has no second effect and gets the same answer, for 24 hours. */
                "idempotency-key"?: string;
                /** @description The same of a body that is the file itself. In a form, a field sha256 says it of the next file. */
                "repr-digest"?: string;
                /** @description With the scope uploads:service: the user to act for. Default: the caller. */
                "x-owner-id"?: string;
            };
            path: {
                userId: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "image/avif": string;
                "image/gif": string;
                "image/heic": string;
                "image/heif": string;
                "image/jpeg": string;
                "image/png": string;
                "image/webp": string;
                "multipart/form-data": {
                    /**
                     * Format: binary
                     * @description The first file part is taken, whatever its name.
                     */
                    avatar: string;
                    /** @description The part that square sizes show: x,y,width,height as fractions (0 to 1) of the upright picture, such as 0.1,0,0.8,0.8. */
                    crop?: string;
                    /**
                     * @description keep: store the bytes as they are sent. remove: without location, names and the like; the pixels stay the same.
                     * @enum {unknown}
                     */
                    metadata?: "keep" | "remove";
                    /** @description Of the next file, and of no other. When the bytes that arrive are others, nothing is kept. */
                    sha256?: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    /** @description Where there is a limit: what is left of it (r), and when all of it is there again (t, seconds). */
                    RateLimit?: string;
                    /** @description Where there is a limit: how much (q) in how many seconds (w). */
                    "RateLimit-Policy"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Never changes for a user; always the current picture. */
                        avatarUrl: string;
                        /** @example image/webp */
                        contentType: string;
                        /** @description null: the gateway chooses. */
                        crop: string | null;
                        /** @description Pixels, upright. */
                        height: number;
                        /** @description Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent. */
                        metadataRemoved: string[];
                        /** @description clean: the scanner knew nothing against the bytes as they arrived. unscanned: it could not look at them, and they were kept all the same. null: there was no scanner. */
                        scan: ("clean" | "unscanned") | null;
                        /** @description Of the stored bytes, lower-case hex. */
                        sha256: string;
                        /** @description Bytes. */
                        size: number;
                        thumbhash: string | null;
                        /** Format: date-time */
                        updatedAt: string;
                        userId: string;
                        /** Format: uuid */
                        version: string;
                        /** @description This picture for ever; safe to cache. */
                        versionedUrl: string;
                        /** @description Pixels, upright. */
                        width: number;
                    };
                };
            };
            /** @description Done. */
            201: {
                headers: {
                    /** @description Where there is a limit: what is left of it (r), and when all of it is there again (t, seconds). */
                    RateLimit?: string;
                    /** @description Where there is a limit: how much (q) in how many seconds (w). */
                    "RateLimit-Policy"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Never changes for a user; always the current picture. */
                        avatarUrl: string;
                        /** @example image/webp */
                        contentType: string;
                        /** @description null: the gateway chooses. */
                        crop: string | null;
                        /** @description Pixels, upright. */
                        height: number;
                        /** @description Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent. */
                        metadataRemoved: string[];
                        /** @description clean: the scanner knew nothing against the bytes as they arrived. unscanned: it could not look at them, and they were kept all the same. null: there was no scanner. */
                        scan: ("clean" | "unscanned") | null;
                        /** @description Of the stored bytes, lower-case hex. */
                        sha256: string;
                        /** @description Bytes. */
                        size: number;
                        thumbhash: string | null;
                        /** Format: date-time */
                        updatedAt: string;
                        userId: string;
                        /** Format: uuid */
                        version: string;
                        /** @description This picture for ever; safe to cache. */
                        versionedUrl: string;
                        /** @description Pixels, upright. */
                        width: number;
                    };
                };
            };
        };
    };
    deleteAvatarsByUserId: {
        parameters: {
            query?: never;
            header?: {
                /** @description With the scope uploads:service: the user to act for. Default: the caller. */
                "x-owner-id"?: string;
            };
            path: {
                userId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    getAvatarsByUserIdByVersion: {
        parameters: {
            query?: {
                /** @description true: keep the motion of an animation, as WebP; for who names WebP in Accept, or as the format. Others stand still. */
                animated?: boolean;
                /** @description Default: the best of AVIF, WebP and JPEG, or PNG, that the Accept header names; with no size and no motion asked for either, the stored bytes. Name one behind caches that ignore Vary. */
                format?: "avif" | "webp" | "jpeg" | "png";
                /** @description Pixels of the square: the next of 32, 64, 96, 128, 256, 512, 1024, and never more than the picture has. */
                size?: number;
            };
            header?: never;
            path: {
                userId: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The picture. */
            200: {
                headers: {
                    /** @description RFC 9530: sha-256 of the whole file, also when only a range of it is sent. Left out for Want-Repr-Digest: sha-256=0. */
                    "Repr-Digest"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "image/avif": string;
                    "image/gif": string;
                    "image/heic": string;
                    "image/heif": string;
                    "image/jpeg": string;
                    "image/png": string;
                    "image/svg+xml": string;
                    "image/webp": string;
                };
            };
            /** @description A range of it. */
            206: {
                headers: {
                    /** @description RFC 9530: sha-256 of the whole file, also when only a range of it is sent. Left out for Want-Repr-Digest: sha-256=0. */
                    "Repr-Digest"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "*/*": string;
                };
            };
            /** @description Only with DELIVERY=redirect, and for stored bytes as they are: they are at Location, in the object store, for a minute. A Range goes along; credentials must not. */
            302: {
                headers: {
                    /** @description A URL that needs no credentials. Not to be kept. */
                    Location?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    putAvatarsMe: {
        parameters: {
            query?: {
                /** @description The part that square sizes show: x,y,width,height as fractions (0 to 1) of the upright picture, such as 0.1,0,0.8,0.8. */
                crop?: string;
                /** @description keep: store the bytes as they are sent. remove: without location, names and the like; the pixels stay the same. */
                metadata?: "keep" | "remove";
            };
            header?: {
                /** @description RFC 9530: sha-256 or sha-512 of the body as it is sent, also of a form. When the bytes that arrive are others, nothing is kept. */
                "content-digest"?: string;
                /** @description Any name for this request that was not used before, such as a UUID. Sent again with the same key and content, it has no second effect and gets the same answer, for 24 hours. */
                "idempotency-key"?: string;
                /** @description The same of a body that is the file itself. In a form, a field sha256 says it of the next file. */
                "repr-digest"?: string;
                /** @description With the scope uploads:service: the user to act for. Default: the caller. */
                "x-owner-id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "image/avif": string;
                "image/gif": string;
                "image/heic": string;
                "image/heif": string;
                "image/jpeg": string;
                "image/png": string;
                "image/webp": string;
                "multipart/form-data": {
                    /**
                     * Format: binary
                     * @description The first file part is taken, whatever its name.
                     */
                    avatar: string;
                    /** @description The part that square sizes show: x,y,width,height as fractions (0 to 1) of the upright picture, such as 0.1,0,0.8,0.8. */
                    crop?: string;
                    /**
                     * @description keep: store the bytes as they are sent. remove: without location, names and the like; the pixels stay the same.
                     * @enum {unknown}
                     */
                    metadata?: "keep" | "remove";
                    /** @description Of the next file, and of no other. When the bytes that arrive are others, nothing is kept. */
                    sha256?: string;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    /** @description Where there is a limit: what is left of it (r), and when all of it is there again (t, seconds). */
                    RateLimit?: string;
                    /** @description Where there is a limit: how much (q) in how many seconds (w). */
                    "RateLimit-Policy"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Never changes for a user; always the current picture. */
                        avatarUrl: string;
                        /** @example image/webp */
                        contentType: string;
                        /** @description null: the gateway chooses. */
                        crop: string | null;
                        /** @description Pixels, upright. */
                        height: number;
                        /** @description Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent. */
                        metadataRemoved: string[];
                        /** @description clean: the scanner knew nothing against the bytes as they arrived. unscanned: it could not look at them, and they were kept all the same. null: there was no scanner. */
                        scan: ("clean" | "unscanned") | null;
                        /** @description Of the stored bytes, lower-case hex. */
                        sha256: string;
                        /** @description Bytes. */
                        size: number;
                        thumbhash: string | null;
                        /** Format: date-time */
                        updatedAt: string;
                        userId: string;
                        /** Format: uuid */
                        version: string;
                        /** @description This picture for ever; safe to cache. */
                        versionedUrl: string;
                        /** @description Pixels, upright. */
                        width: number;
                    };
                };
            };
            /** @description Done. */
            201: {
                headers: {
                    /** @description Where there is a limit: what is left of it (r), and when all of it is there again (t, seconds). */
                    RateLimit?: string;
                    /** @description Where there is a limit: how much (q) in how many seconds (w). */
                    "RateLimit-Policy"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Never changes for a user; always the current picture. */
                        avatarUrl: string;
                        /** @example image/webp */
                        contentType: string;
                        /** @description null: the gateway chooses. */
                        crop: string | null;
                        /** @description Pixels, upright. */
                        height: number;
                        /** @description Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent. */
                        metadataRemoved: string[];
                        /** @description clean: the scanner knew nothing against the bytes as they arrived. unscanned: it could not look at them, and they were kept all the same. null: there was no scanner. */
                        scan: ("clean" | "unscanned") | null;
                        /** @description Of the stored bytes, lower-case hex. */
                        sha256: string;
                        /** @description Bytes. */
                        size: number;
                        thumbhash: string | null;
                        /** Format: date-time */
                        updatedAt: string;
                        userId: string;
                        /** Format: uuid */
                        version: string;
                        /** @description This picture for ever; safe to cache. */
                        versionedUrl: string;
                        /** @description Pixels, upright. */
                        width: number;
                    };
                };
            };
        };
    };
    deleteAvatarsMe: {
        parameters: {
            query?: never;
            header?: {
                /** @description With the scope uploads:service: the user to act for. Default: the caller. */
                "x-owner-id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    patchAvatarsMe: {
        parameters: {
            query?: never;
            header?: {
                /** @description With the scope uploads:service: the user to act for. Default: the caller. */
                "x-owner-id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description null: the gateway chooses. */
                    crop: string | null;
                };
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    /** @description Where there is a limit: what is left of it (r), and when all of it is there again (t, seconds). */
                    RateLimit?: string;
                    /** @description Where there is a limit: how much (q) in how many seconds (w). */
                    "RateLimit-Policy"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Never changes for a user; always the current picture. */
                        avatarUrl: string;
                        /** @example image/webp */
                        contentType: string;
                        /** @description null: the gateway chooses. */
                        crop: string | null;
                        /** @description Pixels, upright. */
                        height: number;
                        /** @description Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent. */
                        metadataRemoved: string[];
                        /** @description clean: the scanner knew nothing against the bytes as they arrived. unscanned: it could not look at them, and they were kept all the same. null: there was no scanner. */
                        scan: ("clean" | "unscanned") | null;
                        /** @description Of the stored bytes, lower-case hex. */
                        sha256: string;
                        /** @description Bytes. */
                        size: number;
                        thumbhash: string | null;
                        /** Format: date-time */
                        updatedAt: string;
                        userId: string;
                        /** Format: uuid */
                        version: string;
                        /** @description This picture for ever; safe to cache. */
                        versionedUrl: string;
                        /** @description Pixels, upright. */
                        width: number;
                    };
                };
            };
        };
    };
    getAvatarsMeVersions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The current picture first, then earlier ones, the latest first. */
                        versions: {
                            /** @description Never changes for a user; always the current picture. */
                            avatarUrl: string;
                            /** @example image/webp */
                            contentType: string;
                            /** @description null: the gateway chooses. */
                            crop: string | null;
                            /** @description Pixels, upright. */
                            height: number;
                            isCurrent: boolean;
                            /** @description Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent. */
                            metadataRemoved: string[];
                            /** @description clean: the scanner knew nothing against the bytes as they arrived. unscanned: it could not look at them, and they were kept all the same. null: there was no scanner. */
                            scan: ("clean" | "unscanned") | null;
                            /** @description Of the stored bytes, lower-case hex. */
                            sha256: string;
                            /** @description Bytes. */
                            size: number;
                            thumbhash: string | null;
                            /** Format: date-time */
                            updatedAt: string;
                            userId: string;
                            /** Format: uuid */
                            version: string;
                            /** @description This picture for ever; safe to cache. */
                            versionedUrl: string;
                            /** @description Pixels, upright. */
                            width: number;
                        }[];
                    };
                };
            };
        };
    };
    postAvatarsMeVersionsByVersionRestore: {
        parameters: {
            query?: never;
            header?: {
                /** @description Any name for this request that was not used before, such as a UUID. Sent again with the same key and content, it has no second effect and gets the same answer, for 24 hours. */
                "idempotency-key"?: string;
            };
            path: {
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Never changes for a user; always the current picture. */
                        avatarUrl: string;
                        /** @example image/webp */
                        contentType: string;
                        /** @description null: the gateway chooses. */
                        crop: string | null;
                        /** @description Pixels, upright. */
                        height: number;
                        /** @description Kinds of metadata that were removed; when empty, the stored bytes are the ones that were sent. */
                        metadataRemoved: string[];
                        /** @description clean: the scanner knew nothing against the bytes as they arrived. unscanned: it could not look at them, and they were kept all the same. null: there was no scanner. */
                        scan: ("clean" | "unscanned") | null;
                        /** @description Of the stored bytes, lower-case hex. */
                        sha256: string;
                        /** @description Bytes. */
                        size: number;
                        thumbhash: string | null;
                        /** Format: date-time */
                        updatedAt: string;
                        userId: string;
                        /** Format: uuid */
                        version: string;
                        /** @description This picture for ever; safe to cache. */
                        versionedUrl: string;
                        /** @description Pixels, upright. */
                        width: number;
                    };
                };
            };
        };
    };
    getLimits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        attachment: {
                            /** @description Of each file. */
                            maxBytes: number;
                            /** @description In one request. */
                            maxFiles: number;
                            /** @description Pixels of the longest side of previews of pictures. */
                            previewSizes: number[];
                            /** @description Any type may be kept. */
                            types: null;
                        };
                        avatar: {
                            maxBytes: number;
                            /** @description Width times height. */
                            maxPixels: number;
                            /** @description Pixels. */
                            maxSide: number;
                            /** @description Pixels of the squares that it is shown in. */
                            sizes: number[];
                            types: string[];
                        };
                        /** @description Of one caller, if no other limits are set for them: GET /api/usage says. */
                        caller: {
                            /** @description What they may keep, in bytes. null: no limit. */
                            bytes: number | null;
                            /** @description Bytes that they may upload in a minute. null: no limit. */
                            bytesPerMinute: number | null;
                            /** @description How many files they may keep. null: no limit. */
                            files: number | null;
                            /** @description Uploads that they may begin in a minute. null: no limit. */
                            uploadsPerMinute: number | null;
                        };
                        /** @description Whether every change is refused for now, as while the service is moved. */
                        readOnly: boolean;
                        resumable: {
                            /** @description Of one request of a resumable upload, as proxies let through; a file that is larger is better sent so. */
                            chunkBytes: number;
                            /** @description Of the whole file. */
                            maxBytes: number;
                        };
                    };
                };
            };
        };
    };
    postMediaSession: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    /** @description The cookie. */
                    "Set-Cookie"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /**
                         * Format: date-time
                         * @description Begin another before then.
                         */
                        expiresAt: string;
                    };
                };
            };
        };
    };
    deleteMediaSession: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    /** @description The cookie. */
                    "Set-Cookie"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    postResumable: {
        parameters: {
            query?: never;
            header?: {
                /** @description RFC 9530: sha-256 or sha-512 of the bytes of this request, in its header. When others arrive, none of them is kept. */
                "content-digest"?: string;
                /** @description Any name for this request that was not used before, such as a UUID. Sent again with the same key and content, it has no second effect and gets the same answer, for 24 hours. */
                "idempotency-key"?: string;
                /** @description The same of the whole file, of which these may be the first bytes; not of a part. When it has others at the end, nothing is kept. */
                "repr-digest"?: string;
                /** @description 1.0.0 */
                "tus-resumable"?: string;
                /** @description partial: a part of others. final; and the addresses of parts: made of them. */
                "upload-concat"?: string;
                /** @description 1: the length is told with a later PATCH. */
                "upload-defer-length"?: string;
                /** @description Bytes of the whole file. */
                "upload-length"?: string;
                /** @description Pairs of a name and its value in base64, comma separated: filename, filetype, kind (attachment or avatar), ownerId, sha256, and the fields of an upload of that kind. */
                "upload-metadata"?: string;
                /** @description With the scope uploads:service: the user to act for. Default: the caller. */
                "x-owner-id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/offset+octet-stream": string;
            };
        };
        responses: {
            /** @description Done. */
            201: {
                headers: {
                    /** @description Where its bytes go. */
                    Location?: string;
                    /** @description Where there is a limit: what is left of it (r), and when all of it is there again (t, seconds). */
                    RateLimit?: string;
                    /** @description Where there is a limit: how much (q) in how many seconds (w). */
                    "RateLimit-Policy"?: string;
                    /** @description When it is removed unless more comes. */
                    "Upload-Expires"?: string;
                    /** @description Bytes that are durable. */
                    "Upload-Offset"?: string;
                    /** @description Where in the API is what it has become. */
                    "Upload-Result"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    optionsResumable: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    getResumableById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        attachment?: components["schemas"]["Attachment"];
                        avatar?: components["schemas"]["Avatar"];
                        /**
                         * Format: date-time
                         * @description When this is forgotten; what it has become stays.
                         */
                        expiresAt: string;
                        /** @description Why it came to nothing. */
                        failure?: {
                            code: string;
                            detail: string;
                            status: number;
                        };
                        /** Format: uuid */
                        id: string;
                        /**
                         * @description part: of others.
                         * @enum {unknown}
                         */
                        kind: "attachment" | "avatar" | "part";
                        /** @description null: not known yet. */
                        length: number | null;
                        /** @description Bytes that are durable. */
                        offset: number;
                        ownerId: string;
                        /**
                         * @description finishing: all bytes are there, and it is not an attachment or avatar yet.
                         * @enum {unknown}
                         */
                        state: "receiving" | "finishing" | "finished" | "failed";
                    };
                };
            };
        };
    };
    postResumableById: {
        parameters: {
            query?: never;
            header?: {
                /** @description PATCH, HEAD or DELETE: what is meant, with its headers and its answer. */
                "x-http-method-override"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/offset+octet-stream": string;
            };
        };
        responses: {
            /** @description As of HEAD. */
            200: {
                headers: {
                    /** @description Where there is a limit: what is left of it (r), and when all of it is there again (t, seconds). */
                    RateLimit?: string;
                    /** @description Where there is a limit: how much (q) in how many seconds (w). */
                    "RateLimit-Policy"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description As of PATCH and DELETE. */
            204: {
                headers: {
                    /** @description Where there is a limit: what is left of it (r), and when all of it is there again (t, seconds). */
                    RateLimit?: string;
                    /** @description Where there is a limit: how much (q) in how many seconds (w). */
                    "RateLimit-Policy"?: string;
                    /** @description When it is removed unless more comes. */
                    "Upload-Expires"?: string;
                    /** @description Bytes that are durable. */
                    "Upload-Offset"?: string;
                    /** @description Where in the API is what it has become. */
                    "Upload-Result"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    deleteResumableById: {
        parameters: {
            query?: never;
            header?: {
                /** @description 1.0.0 */
                "tus-resumable"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    optionsResumableById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    headResumableById: {
        parameters: {
            query?: never;
            header?: {
                /** @description 1.0.0 */
                "tus-resumable"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    /** @description When it is removed unless more comes. */
                    "Upload-Expires"?: string;
                    /** @description Bytes of the whole file. */
                    "Upload-Length"?: string;
                    /** @description Bytes that are durable. */
                    "Upload-Offset"?: string;
                    /** @description Where in the API is what it has become. */
                    "Upload-Result"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    patchResumableById: {
        parameters: {
            query?: never;
            header?: {
                /** @description RFC 9530: sha-256 or sha-512 of the bytes of this request, in its header. When others arrive, none of them is kept. */
                "content-digest"?: string;
                /** @description 1.0.0 */
                "tus-resumable"?: string;
                /** @description sha1, sha256, sha512 or md5, and the digest of the bytes of this request in base64. When others arrive, none of them is kept. */
                "upload-checksum"?: string;
                /** @description Of the whole file, when it was deferred. */
                "upload-length"?: string;
                /** @description Where the bytes belong: what HEAD said. */
                "upload-offset"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/offset+octet-stream": string;
            };
        };
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    /** @description Where there is a limit: what is left of it (r), and when all of it is there again (t, seconds). */
                    RateLimit?: string;
                    /** @description Where there is a limit: how much (q) in how many seconds (w). */
                    "RateLimit-Policy"?: string;
                    /** @description When it is removed unless more comes. */
                    "Upload-Expires"?: string;
                    /** @description Bytes that are durable. */
                    "Upload-Offset"?: string;
                    /** @description Where in the API is what it has become. */
                    "Upload-Result"?: string;
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    getUsage: {
        parameters: {
            query?: {
                /** @description With the scope uploads:service or uploads:admin: whose. Default: what X-Owner-Id says, or else the caller's. */
                owner?: string;
            };
            header?: {
                /** @description With the scope uploads:service: the user to act for. Default: the caller. */
                "x-owner-id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    /** @description Finds this request in the log. */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description What is kept of theirs, without what is in the trash. */
                        bytes: number;
                        /** @description Attachments, and the current avatar. */
                        files: number;
                        limits: {
                            /** @description What they may keep, in bytes. null: no limit. */
                            bytes: number | null;
                            /** @description Bytes that they may upload in a minute. null: no limit. */
                            bytesPerMinute: number | null;
                            /** @description How many files they may keep. null: no limit. */
                            files: number | null;
                            /** @description Uploads that they may begin in a minute. null: no limit. */
                            uploadsPerMinute: number | null;
                        };
                        ownerId: string;
                        /** @description Set aside for uploads under way, and for unfinished resumable ones. */
                        reservedBytes: number;
                        reservedFiles: number;
                        /** @description What is deleted or replaced; beyond TRASH_MAX_BYTES_PER_OWNER it counts as kept. */
                        trashBytes: number;
                    };
                };
            };
        };
    };
}
