-- SPDX-License-Identifier: Apache-2.0
--
-- What came in bundles, on a medium. digest: of the bundle's contents; signer: the fingerprint of the key that its signature
-- was held against, NULL where nobody checked one.
CREATE TABLE imports (
	id INTEGER PRIMARY KEY,
	digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
	name TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	signer TEXT,
	at INTEGER NOT NULL
) STRICT;

-- The bundle that an artifact came in; NULL: it came another way.
ALTER TABLE artifacts ADD COLUMN import_id INTEGER REFERENCES imports;

-- Blobs in the store that an import has brought so far, and no version claims yet. They stay for a week, so that an import
-- that was interrupted goes on; the row goes with the import that gives them their names.
CREATE TABLE staged_blobs (
	blob_id INTEGER PRIMARY KEY REFERENCES blobs,
	at INTEGER NOT NULL
) STRICT;

CREATE INDEX staged_blobs_by_age ON staged_blobs (at);

-- What is staged for a published version counts as published; from then on only what is published does.
CREATE TRIGGER staged_blobs_dropped AFTER DELETE ON staged_blobs
BEGIN
	UPDATE blobs SET
		published = EXISTS (SELECT 1 FROM artifacts a JOIN versions v ON v.id = a.version_id
			WHERE a.blob_id = old.blob_id AND a.source = 'published' AND v.state <> 'withdrawn')
		WHERE id = old.blob_id;
END;
