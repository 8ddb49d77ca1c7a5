-- SPDX-License-Identifier: Apache-2.0
-- MD5 is computed after a blob was kept, where nobody has told it: the column is NULL until then.

ALTER TABLE blobs ADD COLUMN late_md5 BLOB CHECK (late_md5 IS NULL OR length(late_md5) = 16);
UPDATE blobs SET late_md5 = md5;
ALTER TABLE blobs DROP COLUMN md5;
ALTER TABLE blobs RENAME COLUMN late_md5 TO md5;

CREATE INDEX blobs_without_md5 ON blobs (id) WHERE md5 IS NULL AND cached = 1;
