-- SPDX-License-Identifier: Apache-2.0
-- The SHA-256 of each file of an archive, where it was computed: by the inspection of those that may hold anything,
-- of the others when they were unpacked.

ALTER TABLE members ADD COLUMN sha256 BLOB CHECK (sha256 IS NULL OR length(sha256) = 32);
