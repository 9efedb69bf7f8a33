-- AlterTable
ALTER TABLE "Blob" ADD COLUMN "scan" TEXT;
ALTER TABLE "Blob" ADD COLUMN "scanSignature" TEXT;

-- AlterTable
ALTER TABLE "Attachment" ADD COLUMN "readers" TEXT;
ALTER TABLE "Attachment" ADD COLUMN "readersEpoch" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "Attachment" ADD COLUMN "expiresAt" DATETIME;

-- AlterTable
ALTER TABLE "Owner" ADD COLUMN "choices" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "Owner" ADD COLUMN "choice" INTEGER NOT NULL DEFAULT 0;

-- CreateTable
CREATE TABLE "Link" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "attachmentId" TEXT NOT NULL,
    "creatorId" TEXT NOT NULL,
    "expiresAt" DATETIME NOT NULL,
    "revokedAt" DATETIME,
    "createdAt" DATETIME NOT NULL,
    CONSTRAINT "Link_attachmentId_fkey" FOREIGN KEY ("attachmentId") REFERENCES "Attachment" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Answer" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "fingerprint" TEXT NOT NULL,
    "status" INTEGER NOT NULL,
    "ownerKeys" TEXT NOT NULL,
    "epoch" INTEGER NOT NULL,
    "createdAt" DATETIME NOT NULL,
    "headers" TEXT NOT NULL,
    "body" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "Usage" (
    "ownerId" TEXT NOT NULL PRIMARY KEY,
    "bytes" BIGINT NOT NULL,
    "files" INTEGER NOT NULL,
    "trashBytes" BIGINT NOT NULL
);

-- CreateTable
CREATE TABLE "Resumable" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "ownerId" TEXT NOT NULL,
    "creatorId" TEXT NOT NULL,
    "scopes" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "length" BIGINT,
    "offset" BIGINT NOT NULL DEFAULT 0,
    "epoch" INTEGER NOT NULL DEFAULT 0,
    "state" TEXT NOT NULL,
    "metadata" TEXT,
    "parts" TEXT,
    "blobId" TEXT NOT NULL,
    "recordId" TEXT NOT NULL,
    "digests" TEXT,
    "erasureEpoch" INTEGER NOT NULL,
    "failure" TEXT,
    "finishAt" DATETIME,
    "completeAt" DATETIME,
    "choice" INTEGER,
    "heldUntil" DATETIME,
    "createdAt" DATETIME NOT NULL,
    "expiresAt" DATETIME NOT NULL
);

-- CreateTable
CREATE TABLE "Segment" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "uploadId" TEXT NOT NULL,
    "start" BIGINT NOT NULL,
    "bytes" BIGINT NOT NULL,
    CONSTRAINT "Segment_uploadId_fkey" FOREIGN KEY ("uploadId") REFERENCES "Resumable" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Event" (
    "seq" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "id" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "ownerKey" TEXT NOT NULL,
    "payload" TEXT NOT NULL,
    "epoch" INTEGER NOT NULL DEFAULT 0,
    "createdAt" DATETIME NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "dueAt" DATETIME,
    "deadAt" DATETIME
);

-- CreateIndex
CREATE INDEX "Attachment_expiresAt_idx" ON "Attachment"("expiresAt");

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

-- "Usage" follows "Blob" by triggers, so that nothing that writes blobs can forget it. A migration that makes the table "Blob" anew makes them anew.
-- Live blobs count as kept, superseded and deleted ones as trash, others not at all; who has nothing has no row.
INSERT INTO "Usage" ("ownerId", "bytes", "files", "trashBytes")
SELECT "ownerId", SUM(CASE WHEN "state" = 'live' THEN "size" ELSE 0 END), SUM(CASE WHEN "state" = 'live' THEN 1 ELSE 0 END), SUM(CASE WHEN "state" = 'live' THEN 0 ELSE "size" END)
FROM "Blob" WHERE "ownerId" IS NOT NULL AND ("state" = 'live' OR "state" IN ('superseded', 'deleted') AND "size" > 0) GROUP BY "ownerId";

-- CreateTrigger
CREATE TRIGGER "Blob_insert_Usage" AFTER INSERT ON "Blob"
WHEN NEW."ownerId" IS NOT NULL AND (NEW."state" = 'live' OR NEW."state" IN ('superseded', 'deleted') AND NEW."size" > 0)
BEGIN
    INSERT INTO "Usage" ("ownerId", "bytes", "files", "trashBytes")
    VALUES (NEW."ownerId", CASE WHEN NEW."state" = 'live' THEN NEW."size" ELSE 0 END, CASE WHEN NEW."state" = 'live' THEN 1 ELSE 0 END, CASE WHEN NEW."state" = 'live' THEN 0 ELSE NEW."size" END)
    ON CONFLICT ("ownerId") DO UPDATE SET "bytes" = "bytes" + excluded."bytes", "files" = "files" + excluded."files", "trashBytes" = "trashBytes" + excluded."trashBytes";
END;

-- CreateTrigger
CREATE TRIGGER "Blob_update_Usage" AFTER UPDATE OF "state", "ownerId", "size" ON "Blob"
WHEN NEW."state" <> OLD."state" OR NEW."ownerId" IS NOT OLD."ownerId" OR NEW."size" <> OLD."size"
BEGIN
    UPDATE "Usage" SET
        "bytes" = "bytes" - CASE WHEN OLD."state" = 'live' THEN OLD."size" ELSE 0 END,
        "files" = "files" - CASE WHEN OLD."state" = 'live' THEN 1 ELSE 0 END,
        "trashBytes" = "trashBytes" - CASE WHEN OLD."state" IN ('superseded', 'deleted') THEN OLD."size" ELSE 0 END
    WHERE "ownerId" = OLD."ownerId";
    INSERT INTO "Usage" ("ownerId", "bytes", "files", "trashBytes")
    SELECT NEW."ownerId", CASE WHEN NEW."state" = 'live' THEN NEW."size" ELSE 0 END, CASE WHEN NEW."state" = 'live' THEN 1 ELSE 0 END, CASE WHEN NEW."state" = 'live' THEN 0 ELSE NEW."size" END
    WHERE NEW."ownerId" IS NOT NULL AND (NEW."state" = 'live' OR NEW."state" IN ('superseded', 'deleted') AND NEW."size" > 0)
    ON CONFLICT ("ownerId") DO UPDATE SET "bytes" = "bytes" + excluded."bytes", "files" = "files" + excluded."files", "trashBytes" = "trashBytes" + excluded."trashBytes";
    DELETE FROM "Usage" WHERE "ownerId" = OLD."ownerId" AND "bytes" = 0 AND "files" = 0 AND "trashBytes" = 0;
END;

-- CreateTrigger
CREATE TRIGGER "Blob_delete_Usage" AFTER DELETE ON "Blob"
WHEN OLD."state" IN ('live', 'superseded', 'deleted')
BEGIN
    UPDATE "Usage" SET
        "bytes" = "bytes" - CASE WHEN OLD."state" = 'live' THEN OLD."size" ELSE 0 END,
        "files" = "files" - CASE WHEN OLD."state" = 'live' THEN 1 ELSE 0 END,
        "trashBytes" = "trashBytes" - CASE WHEN OLD."state" = 'live' THEN 0 ELSE OLD."size" END
    WHERE "ownerId" = OLD."ownerId";
    DELETE FROM "Usage" WHERE "ownerId" = OLD."ownerId" AND "bytes" = 0 AND "files" = 0 AND "trashBytes" = 0;
END;
