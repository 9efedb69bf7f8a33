-- Text is compared byte by byte, as SQLite does it, whatever the collation of the database is.

-- CreateTable
CREATE TABLE "Setting" (
    "key" TEXT COLLATE "C" NOT NULL,
    "value" TEXT COLLATE "C" NOT NULL,

    CONSTRAINT "Setting_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "Blob" (
    "id" TEXT COLLATE "C" NOT NULL,
    "kind" TEXT COLLATE "C" NOT NULL,
    "extension" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "ownerId" TEXT COLLATE "C",
    "creatorId" TEXT COLLATE "C",
    "contentType" TEXT COLLATE "C" NOT NULL,
    "size" BIGINT NOT NULL,
    "sha256" TEXT COLLATE "C" NOT NULL,
    "width" INTEGER,
    "height" INTEGER,
    "stateAt" TIMESTAMP(3) NOT NULL,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "sidecarDueAt" TIMESTAMP(3),
    "createdAt" TIMESTAMP(3) NOT NULL,
    "epoch" INTEGER NOT NULL DEFAULT 0,
    "source" TEXT COLLATE "C",
    "sourceSha256" TEXT COLLATE "C",
    "thumbhash" TEXT COLLATE "C",
    "metadataRemoved" TEXT COLLATE "C",
    "keepsMetadata" BOOLEAN NOT NULL DEFAULT false,
    "crop" TEXT COLLATE "C",
    "originalId" TEXT COLLATE "C",
    "scan" TEXT COLLATE "C",
    "scanSignature" TEXT COLLATE "C",

    CONSTRAINT "Blob_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Attachment" (
    "id" TEXT COLLATE "C" NOT NULL,
    "blobId" TEXT COLLATE "C" NOT NULL,
    "ownerId" TEXT COLLATE "C" NOT NULL,
    "filename" TEXT COLLATE "C" NOT NULL,
    "visibility" TEXT COLLATE "C" NOT NULL,
    "contextType" TEXT COLLATE "C",
    "contextId" TEXT COLLATE "C",
    "alt" TEXT COLLATE "C",
    "deletedAt" TIMESTAMP(3),
    "createdAt" TIMESTAMP(3) NOT NULL,
    "readers" TEXT COLLATE "C",
    "readersEpoch" INTEGER NOT NULL DEFAULT 0,
    "expiresAt" TIMESTAMP(3),

    CONSTRAINT "Attachment_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Avatar" (
    "userId" TEXT COLLATE "C" NOT NULL,
    "blobId" TEXT COLLATE "C" NOT NULL,

    CONSTRAINT "Avatar_pkey" PRIMARY KEY ("userId")
);

-- CreateTable
CREATE TABLE "Alias" (
    "path" TEXT COLLATE "C" NOT NULL,
    "blobId" TEXT COLLATE "C" NOT NULL,

    CONSTRAINT "Alias_pkey" PRIMARY KEY ("path")
);

-- CreateTable
CREATE TABLE "Account" (
    "id" TEXT COLLATE "C" NOT NULL,
    "email" TEXT COLLATE "C" NOT NULL,
    "displayName" TEXT COLLATE "C" NOT NULL,
    "passwordHash" TEXT COLLATE "C" NOT NULL,
    "tokenGeneration" INTEGER NOT NULL DEFAULT 0,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "updatedAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "Account_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Owner" (
    "key" TEXT COLLATE "C" NOT NULL,
    "epoch" INTEGER NOT NULL DEFAULT 0,
    "commits" INTEGER NOT NULL DEFAULT 0,
    "choices" INTEGER NOT NULL DEFAULT 0,
    "choice" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "Owner_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "Erasure" (
    "epoch" INTEGER NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "ownerKey" TEXT COLLATE "C" NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "finishedAt" TIMESTAMP(3),

    CONSTRAINT "Erasure_pkey" PRIMARY KEY ("epoch")
);

-- CreateTable
CREATE TABLE "Tombstone" (
    "key" TEXT COLLATE "C" NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "Tombstone_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "Link" (
    "id" TEXT COLLATE "C" NOT NULL,
    "attachmentId" TEXT COLLATE "C" NOT NULL,
    "creatorId" TEXT COLLATE "C" NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,
    "revokedAt" TIMESTAMP(3),
    "createdAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "Link_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Answer" (
    "key" TEXT COLLATE "C" NOT NULL,
    "fingerprint" TEXT COLLATE "C" NOT NULL,
    "status" INTEGER NOT NULL,
    "ownerKeys" TEXT COLLATE "C" NOT NULL,
    "epoch" INTEGER NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "headers" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,

    CONSTRAINT "Answer_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "Usage" (
    "ownerId" TEXT COLLATE "C" NOT NULL,
    "bytes" BIGINT NOT NULL,
    "files" INTEGER NOT NULL,
    "trashBytes" BIGINT NOT NULL,

    CONSTRAINT "Usage_pkey" PRIMARY KEY ("ownerId")
);

-- CreateTable
CREATE TABLE "Resumable" (
    "id" TEXT COLLATE "C" NOT NULL,
    "ownerId" TEXT COLLATE "C" NOT NULL,
    "creatorId" TEXT COLLATE "C" NOT NULL,
    "scopes" TEXT COLLATE "C" NOT NULL,
    "kind" TEXT COLLATE "C" NOT NULL,
    "length" BIGINT,
    "offset" BIGINT NOT NULL DEFAULT 0,
    "epoch" INTEGER NOT NULL DEFAULT 0,
    "state" TEXT COLLATE "C" NOT NULL,
    "metadata" TEXT COLLATE "C",
    "parts" TEXT COLLATE "C",
    "blobId" TEXT COLLATE "C" NOT NULL,
    "recordId" TEXT COLLATE "C" NOT NULL,
    "digests" TEXT COLLATE "C",
    "erasureEpoch" INTEGER NOT NULL,
    "failure" TEXT COLLATE "C",
    "finishAt" TIMESTAMP(3),
    "completeAt" TIMESTAMP(3),
    "choice" INTEGER,
    "heldUntil" TIMESTAMP(3),
    "createdAt" TIMESTAMP(3) NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "Resumable_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Segment" (
    "id" TEXT COLLATE "C" NOT NULL,
    "uploadId" TEXT COLLATE "C" NOT NULL,
    "start" BIGINT NOT NULL,
    "bytes" BIGINT NOT NULL,

    CONSTRAINT "Segment_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Event" (
    "seq" SERIAL NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "type" TEXT COLLATE "C" NOT NULL,
    "ownerKey" TEXT COLLATE "C" NOT NULL,
    "payload" TEXT COLLATE "C" NOT NULL,
    "epoch" INTEGER NOT NULL DEFAULT 0,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "dueAt" TIMESTAMP(3),
    "deadAt" TIMESTAMP(3),

    CONSTRAINT "Event_pkey" PRIMARY KEY ("seq")
);

-- CreateIndex
CREATE INDEX "Blob_state_stateAt_idx" ON "Blob"("state", "stateAt");

-- CreateIndex
CREATE INDEX "Blob_ownerId_kind_state_idx" ON "Blob"("ownerId", "kind", "state");

-- CreateIndex
CREATE INDEX "Blob_sidecarDueAt_idx" ON "Blob"("sidecarDueAt");

-- CreateIndex
CREATE INDEX "Blob_sha256_idx" ON "Blob"("sha256");

-- CreateIndex
CREATE INDEX "Blob_source_idx" ON "Blob"("source");

-- CreateIndex
CREATE INDEX "Blob_originalId_idx" ON "Blob"("originalId");

-- CreateIndex
CREATE UNIQUE INDEX "Attachment_blobId_key" ON "Attachment"("blobId");

-- CreateIndex
CREATE INDEX "Attachment_ownerId_deletedAt_id_idx" ON "Attachment"("ownerId", "deletedAt", "id");

-- CreateIndex
CREATE INDEX "Attachment_contextType_contextId_deletedAt_id_idx" ON "Attachment"("contextType", "contextId", "deletedAt", "id");

-- CreateIndex
CREATE INDEX "Attachment_expiresAt_idx" ON "Attachment"("expiresAt");

-- CreateIndex
CREATE UNIQUE INDEX "Avatar_blobId_key" ON "Avatar"("blobId");

-- CreateIndex
CREATE INDEX "Alias_blobId_idx" ON "Alias"("blobId");

-- CreateIndex
CREATE UNIQUE INDEX "Account_email_key" ON "Account"("email");

-- CreateIndex
CREATE UNIQUE INDEX "Erasure_id_key" ON "Erasure"("id");

-- CreateIndex
CREATE INDEX "Erasure_ownerKey_idx" ON "Erasure"("ownerKey");

-- CreateIndex
CREATE INDEX "Erasure_finishedAt_idx" ON "Erasure"("finishedAt");

-- CreateIndex
CREATE INDEX "Link_attachmentId_idx" ON "Link"("attachmentId");

-- CreateIndex
CREATE INDEX "Link_expiresAt_idx" ON "Link"("expiresAt");

-- CreateIndex
CREATE INDEX "Answer_createdAt_idx" ON "Answer"("createdAt");

-- CreateIndex
CREATE UNIQUE INDEX "Resumable_blobId_key" ON "Resumable"("blobId");

-- CreateIndex
CREATE UNIQUE INDEX "Resumable_recordId_key" ON "Resumable"("recordId");

-- CreateIndex
CREATE INDEX "Resumable_state_expiresAt_idx" ON "Resumable"("state", "expiresAt");

-- CreateIndex
CREATE INDEX "Resumable_ownerId_kind_state_idx" ON "Resumable"("ownerId", "kind", "state");

-- CreateIndex
CREATE INDEX "Resumable_finishAt_idx" ON "Resumable"("finishAt");

-- CreateIndex
CREATE INDEX "Segment_uploadId_start_idx" ON "Segment"("uploadId", "start");

-- CreateIndex
CREATE UNIQUE INDEX "Event_id_key" ON "Event"("id");

-- CreateIndex
CREATE INDEX "Event_ownerKey_deadAt_seq_idx" ON "Event"("ownerKey", "deadAt", "seq");

-- CreateIndex
CREATE INDEX "Event_dueAt_idx" ON "Event"("dueAt");

-- CreateIndex
CREATE INDEX "Event_deadAt_idx" ON "Event"("deadAt");

-- AddForeignKey
ALTER TABLE "Attachment" ADD CONSTRAINT "Attachment_blobId_fkey" FOREIGN KEY ("blobId") REFERENCES "Blob"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Avatar" ADD CONSTRAINT "Avatar_blobId_fkey" FOREIGN KEY ("blobId") REFERENCES "Blob"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Alias" ADD CONSTRAINT "Alias_blobId_fkey" FOREIGN KEY ("blobId") REFERENCES "Blob"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Link" ADD CONSTRAINT "Link_attachmentId_fkey" FOREIGN KEY ("attachmentId") REFERENCES "Attachment"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Segment" ADD CONSTRAINT "Segment_uploadId_fkey" FOREIGN KEY ("uploadId") REFERENCES "Resumable"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- "Usage" follows "Blob" by triggers, so that nothing that writes blobs can forget it.
-- Live blobs count as kept, superseded and deleted ones as trash, others not at all; who has nothing has no row.

-- CreateFunction
CREATE FUNCTION "Blob_insert_Usage"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO "Usage" AS "kept" ("ownerId", "bytes", "files", "trashBytes")
    VALUES (NEW."ownerId", CASE WHEN NEW."state" = 'live' THEN NEW."size" ELSE 0 END, CASE WHEN NEW."state" = 'live' THEN 1 ELSE 0 END, CASE WHEN NEW."state" = 'live' THEN 0 ELSE NEW."size" END)
    ON CONFLICT ("ownerId") DO UPDATE SET "bytes" = "kept"."bytes" + excluded."bytes", "files" = "kept"."files" + excluded."files", "trashBytes" = "kept"."trashBytes" + excluded."trashBytes";
    RETURN NULL;
END
$$;

-- CreateFunction
CREATE FUNCTION "Blob_update_Usage"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE "Usage" SET
        "bytes" = "bytes" - CASE WHEN OLD."state" = 'live' THEN OLD."size" ELSE 0 END,
        "files" = "files" - CASE WHEN OLD."state" = 'live' THEN 1 ELSE 0 END,
        "trashBytes" = "trashBytes" - CASE WHEN OLD."state" IN ('superseded', 'deleted') THEN OLD."size" ELSE 0 END
    WHERE "ownerId" = OLD."ownerId";
    INSERT INTO "Usage" AS "kept" ("ownerId", "bytes", "files", "trashBytes")
    SELECT NEW."ownerId", CASE WHEN NEW."state" = 'live' THEN NEW."size" ELSE 0 END, CASE WHEN NEW."state" = 'live' THEN 1 ELSE 0 END, CASE WHEN NEW."state" = 'live' THEN 0 ELSE NEW."size" END
    WHERE NEW."ownerId" IS NOT NULL AND (NEW."state" = 'live' OR NEW."state" IN ('superseded', 'deleted') AND NEW."size" > 0)
    ON CONFLICT ("ownerId") DO UPDATE SET "bytes" = "kept"."bytes" + excluded."bytes", "files" = "kept"."files" + excluded."files", "trashBytes" = "kept"."trashBytes" + excluded."trashBytes";
    DELETE FROM "Usage" WHERE "ownerId" = OLD."ownerId" AND "bytes" = 0 AND "files" = 0 AND "trashBytes" = 0;
    RETURN NULL;
END
$$;

-- CreateFunction
CREATE FUNCTION "Blob_delete_Usage"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE "Usage" SET
        "bytes" = "bytes" - CASE WHEN OLD."state" = 'live' THEN OLD."size" ELSE 0 END,
        "files" = "files" - CASE WHEN OLD."state" = 'live' THEN 1 ELSE 0 END,
        "trashBytes" = "trashBytes" - CASE WHEN OLD."state" = 'live' THEN 0 ELSE OLD."size" END
    WHERE "ownerId" = OLD."ownerId";
    DELETE FROM "Usage" WHERE "ownerId" = OLD."ownerId" AND "bytes" = 0 AND "files" = 0 AND "trashBytes" = 0;
    RETURN NULL;
END
$$;

-- CreateTrigger
CREATE TRIGGER "Blob_insert_Usage" AFTER INSERT ON "Blob" FOR EACH ROW
WHEN (NEW."ownerId" IS NOT NULL AND (NEW."state" = 'live' OR NEW."state" IN ('superseded', 'deleted') AND NEW."size" > 0))
EXECUTE FUNCTION "Blob_insert_Usage"();

-- CreateTrigger
CREATE TRIGGER "Blob_update_Usage" AFTER UPDATE OF "state", "ownerId", "size" ON "Blob" FOR EACH ROW
WHEN (NEW."state" <> OLD."state" OR NEW."ownerId" IS DISTINCT FROM OLD."ownerId" OR NEW."size" <> OLD."size")
EXECUTE FUNCTION "Blob_update_Usage"();

-- CreateTrigger
CREATE TRIGGER "Blob_delete_Usage" AFTER DELETE ON "Blob" FOR EACH ROW
WHEN (OLD."state" IN ('live', 'superseded', 'deleted'))
EXECUTE FUNCTION "Blob_delete_Usage"();
