-- SPDX-License-Identifier: Apache-2.0
--
-- What may go when room is needed. The columns of blobs and the row of space are derived, so that neither the next blob to
-- go nor the sum of all takes a search; triggers keep them whoever writes.

-- published: a version that was published, and not withdrawn, needs the bytes. used_at: the last use of any of its artifacts.
ALTER TABLE blobs ADD COLUMN published INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blobs ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;

UPDATE blobs SET
	published = EXISTS (SELECT 1 FROM artifacts a JOIN versions v ON v.id = a.version_id
		WHERE a.blob_id = blobs.id AND v.source = 'published' AND v.state <> 'withdrawn'),
	used_at = coalesce((SELECT max(a.last_used_at) FROM artifacts a WHERE a.blob_id = blobs.id), added_at);

CREATE INDEX blobs_by_use ON blobs (used_at, id) WHERE cached = 1 AND published = 0;

-- One row: the bytes of blobs in the store that only mirrored versions need.
CREATE TABLE space (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	mirrored_bytes INTEGER NOT NULL
) STRICT;

INSERT INTO space (id, mirrored_bytes)
	SELECT 1, coalesce(sum(size_bytes), 0) FROM blobs WHERE cached = 1 AND published = 0;

CREATE TRIGGER space_blob_added AFTER INSERT ON blobs
	WHEN new.cached = 1 AND new.published = 0
BEGIN
	UPDATE space SET mirrored_bytes = mirrored_bytes + new.size_bytes;
END;

CREATE TRIGGER space_blob_changed AFTER UPDATE OF cached, published ON blobs
BEGIN
	UPDATE space SET mirrored_bytes = mirrored_bytes
		+ CASE WHEN new.cached = 1 AND new.published = 0 THEN new.size_bytes ELSE 0 END
		- CASE WHEN old.cached = 1 AND old.published = 0 THEN old.size_bytes ELSE 0 END;
END;

-- Bytes that have just come back were asked for just now.
CREATE TRIGGER blobs_returned AFTER UPDATE OF cached ON blobs
	WHEN new.cached = 1 AND old.cached = 0
BEGIN
	UPDATE blobs SET used_at = max(used_at, unixepoch()) WHERE id = new.id;
END;

CREATE TRIGGER blobs_claimed AFTER INSERT ON artifacts
BEGIN
	UPDATE blobs SET
		published = EXISTS (SELECT 1 FROM artifacts a JOIN versions v ON v.id = a.version_id
			WHERE a.blob_id = new.blob_id AND v.source = 'published' AND v.state <> 'withdrawn'),
		used_at = max(used_at, new.last_used_at)
		WHERE id = new.blob_id;
END;

CREATE TRIGGER blobs_used AFTER UPDATE OF last_used_at ON artifacts
BEGIN
	UPDATE blobs SET used_at = max(used_at, new.last_used_at) WHERE id = new.blob_id;
END;

CREATE TRIGGER blobs_judged AFTER UPDATE OF source, state ON versions
BEGIN
	UPDATE blobs SET
		published = EXISTS (SELECT 1 FROM artifacts a JOIN versions v ON v.id = a.version_id
			WHERE a.blob_id = blobs.id AND v.source = 'published' AND v.state <> 'withdrawn')
		WHERE id IN (SELECT blob_id FROM artifacts WHERE version_id = new.id);
END;

-- What is never to go: a version ("acme/model/1") or a pattern of handles ("acme/*").
CREATE TABLE pins (
	pattern TEXT PRIMARY KEY,
	created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
