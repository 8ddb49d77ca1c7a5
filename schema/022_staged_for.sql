-- SPDX-License-Identifier: Apache-2.0
--
-- For which bundles a blob waits, by the digests of their contents: what one of them has taken over the others still wait
-- for. What was staged before this is nobody's, and goes after its week.
DROP TRIGGER staged_blobs_dropped;

CREATE TABLE staged_for (
	blob_id INTEGER NOT NULL REFERENCES blobs,
	bundle BLOB NOT NULL CHECK (length(bundle) = 32),
	at INTEGER NOT NULL,
	PRIMARY KEY (blob_id, bundle)
) STRICT, WITHOUT ROWID;

INSERT INTO staged_for SELECT blob_id, zeroblob(32), at FROM staged_blobs;
DROP TABLE staged_blobs;
ALTER TABLE staged_for RENAME TO staged_blobs;

CREATE INDEX staged_blobs_by_age ON staged_blobs (at);
CREATE INDEX staged_blobs_by_bundle ON staged_blobs (bundle, at);

-- What is staged for a published version counts as published; from then on only what published versions have does.
CREATE TRIGGER staged_blobs_dropped AFTER DELETE ON staged_blobs
	WHEN NOT EXISTS (SELECT 1 FROM staged_blobs WHERE blob_id = old.blob_id)
BEGIN
	UPDATE blobs SET
		published = EXISTS (SELECT 1 FROM artifacts a JOIN versions v ON v.id = a.version_id
			WHERE a.blob_id = old.blob_id AND a.source = 'published' AND v.state <> 'withdrawn')
		WHERE id = old.blob_id;
END;
