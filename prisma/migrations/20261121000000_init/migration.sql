-- CreateTable
CREATE TABLE "Setting" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "value" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "Blob" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "kind" TEXT NOT NULL,
    "extension" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "ownerId" TEXT,
    "creatorId" TEXT,
    "contentType" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "sha256" TEXT NOT NULL,
    "width" INTEGER,
    "height" INTEGER,
    "stateAt" DATETIME NOT NULL,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "sidecarDueAt" DATETIME,
    "createdAt" DATETIME NOT NULL
);

-- CreateTable
CREATE TABLE "Attachment" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "blobId" TEXT NOT NULL,
    "ownerId" TEXT NOT NULL,
    "filename" TEXT NOT NULL,
    "visibility" TEXT NOT NULL,
    "contextType" TEXT,
    "contextId" TEXT,
    "alt" TEXT,
    "deletedAt" DATETIME,
    "createdAt" DATETIME NOT NULL,
    CONSTRAINT "Attachment_blobId_fkey" FOREIGN KEY ("blobId") REFERENCES "Blob" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Avatar" (
    "userId" TEXT NOT NULL PRIMARY KEY,
    "blobId" TEXT NOT NULL,
    CONSTRAINT "Avatar_blobId_fkey" FOREIGN KEY ("blobId") REFERENCES "Blob" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Alias" (
    "path" TEXT NOT NULL PRIMARY KEY,
    "blobId" TEXT NOT NULL,
    CONSTRAINT "Alias_blobId_fkey" FOREIGN KEY ("blobId") REFERENCES "Blob" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Account" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "email" TEXT NOT NULL,
    "displayName" TEXT NOT NULL,
    "passwordHash" TEXT NOT NULL,
    "tokenGeneration" INTEGER NOT NULL DEFAULT 0,
    "createdAt" DATETIME NOT NULL,
    "updatedAt" DATETIME NOT NULL
);

-- CreateIndex
CREATE INDEX "Blob_state_stateAt_idx" ON "Blob"("state", "stateAt");

-- CreateIndex
CREATE INDEX "Blob_ownerId_kind_state_idx" ON "Blob"("ownerId", "kind", "state");

-- CreateIndex
CREATE INDEX "Blob_sidecarDueAt_idx" ON "Blob"("sidecarDueAt");

-- CreateIndex
CREATE UNIQUE INDEX "Attachment_blobId_key" ON "Attachment"("blobId");

-- CreateIndex
CREATE INDEX "Attachment_ownerId_deletedAt_id_idx" ON "Attachment"("ownerId", "deletedAt", "id");

-- CreateIndex
CREATE INDEX "Attachment_contextType_contextId_deletedAt_id_idx" ON "Attachment"("contextType", "contextId", "deletedAt", "id");

-- CreateIndex
CREATE UNIQUE INDEX "Avatar_blobId_key" ON "Avatar"("blobId");

-- CreateIndex
CREATE INDEX "Alias_blobId_idx" ON "Alias"("blobId");

-- CreateIndex
CREATE UNIQUE INDEX "Account_email_key" ON "Account"("email");
