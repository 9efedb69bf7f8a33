-- AlterTable
ALTER TABLE "Blob" ADD COLUMN "scan" TEXT;
ALTER TABLE "Blob" ADD COLUMN "scanSignature" TEXT;

-- AlterTable
ALTER TABLE "Attachment" ADD COLUMN "readers" TEXT;
ALTER TABLE "Attachment" ADD COLUMN "expiresAt" DATETIME;

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
    "headers" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "ownerKeys" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL
);

-- CreateTable
CREATE TABLE "Reservation" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "ownerId" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "files" INTEGER NOT NULL,
    "expiresAt" DATETIME NOT NULL
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
    "createdAt" DATETIME NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "dueAt" DATETIME NOT NULL,
    "deadAt" DATETIME
);

-- CreateIndex
CREATE INDEX "Blob_ownerId_state_size_idx" ON "Blob"("ownerId", "state", "size");

-- CreateIndex
CREATE INDEX "Attachment_expiresAt_idx" ON "Attachment"("expiresAt");

-- CreateIndex
CREATE INDEX "Link_attachmentId_idx" ON "Link"("attachmentId");

-- CreateIndex
CREATE INDEX "Link_expiresAt_idx" ON "Link"("expiresAt");

-- CreateIndex
CREATE INDEX "Answer_createdAt_idx" ON "Answer"("createdAt");

-- CreateIndex
CREATE INDEX "Reservation_ownerId_idx" ON "Reservation"("ownerId");

-- CreateIndex
CREATE INDEX "Reservation_expiresAt_idx" ON "Reservation"("expiresAt");

-- CreateIndex
CREATE UNIQUE INDEX "Resumable_blobId_key" ON "Resumable"("blobId");

-- CreateIndex
CREATE UNIQUE INDEX "Resumable_recordId_key" ON "Resumable"("recordId");

-- CreateIndex
CREATE INDEX "Resumable_state_expiresAt_idx" ON "Resumable"("state", "expiresAt");

-- CreateIndex
CREATE INDEX "Resumable_ownerId_idx" ON "Resumable"("ownerId");

-- CreateIndex
CREATE INDEX "Segment_uploadId_start_idx" ON "Segment"("uploadId", "start");

-- CreateIndex
CREATE UNIQUE INDEX "Event_id_key" ON "Event"("id");

-- CreateIndex
CREATE INDEX "Event_ownerKey_seq_idx" ON "Event"("ownerKey", "seq");

-- CreateIndex
CREATE INDEX "Event_dueAt_idx" ON "Event"("dueAt");
