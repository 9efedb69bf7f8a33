-- AlterTable
ALTER TABLE "Blob" ADD COLUMN "originalId" TEXT;

-- CreateIndex
CREATE INDEX "Blob_originalId_idx" ON "Blob"("originalId");
