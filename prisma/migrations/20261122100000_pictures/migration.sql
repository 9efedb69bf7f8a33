-- AlterTable
ALTER TABLE "Blob" ADD COLUMN "thumbhash" TEXT;
ALTER TABLE "Blob" ADD COLUMN "metadataRemoved" TEXT;
ALTER TABLE "Blob" ADD COLUMN "keepsMetadata" BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE "Blob" ADD COLUMN "crop" TEXT;
