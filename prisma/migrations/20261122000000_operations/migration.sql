-- AlterTable
ALTER TABLE "Blob" ADD COLUMN "epoch" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "Blob" ADD COLUMN "source" TEXT;
ALTER TABLE "Blob" ADD COLUMN "sourceSha256" TEXT;

-- CreateTable
CREATE TABLE "Owner" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "epoch" INTEGER NOT NULL DEFAULT 0,
    "commits" INTEGER NOT NULL DEFAULT 0
);

-- CreateTable
CREATE TABLE "Erasure" (
    "epoch" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "id" TEXT NOT NULL,
    "ownerKey" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL,
    "finishedAt" DATETIME
);

-- CreateTable
CREATE TABLE "Tombstone" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "createdAt" DATETIME NOT NULL
);

-- CreateIndex
CREATE INDEX "Blob_sha256_idx" ON "Blob"("sha256");

-- CreateIndex
CREATE INDEX "Blob_source_idx" ON "Blob"("source");

-- CreateIndex
CREATE UNIQUE INDEX "Erasure_id_key" ON "Erasure"("id");

-- CreateIndex
CREATE INDEX "Erasure_ownerKey_idx" ON "Erasure"("ownerKey");

-- CreateIndex
CREATE INDEX "Erasure_finishedAt_idx" ON "Erasure"("finishedAt");
