-- SPDX-License-Identifier: Apache-2.0
--
-- What other nodes have kept is on record here before its bytes are.

-- Where nodes share a bucket, that one decides what may stand beside what was published.
DROP TRIGGER IF EXISTS artifacts_guarded;

CREATE TRIGGER artifacts_guarded BEFORE INSERT ON artifacts
	WHEN new.source = 'mirrored' AND (SELECT source FROM versions WHERE id = new.version_id) = 'published'
		AND (SELECT elsewhere FROM space WHERE id = 1) = 0
BEGIN
	SELECT raise(ABORT, 'a published version takes no mirrored artifact');
END;

-- The node that has the bytes first tells of them. Bytes that come back after an eviction are nothing new: their row stayed.
DROP TRIGGER IF EXISTS webhook_artifact_added;

CREATE TRIGGER webhook_artifact_added AFTER INSERT ON artifacts
	WHEN EXISTS (SELECT 1 FROM webhooks) AND (SELECT cached FROM blobs WHERE id = new.blob_id) = 1
BEGIN
	INSERT INTO webhook_queue (webhook_id, event, lane, at, subject, format, digest, size_bytes, who, detail)
		SELECT l.webhook_id, l.event, l.event = 'mirrored', new.created_at, m.handle || '/' || v.version, new.format,
			b.digest, b.size_bytes, coalesce(new.published_by, new.upstream),
			(SELECT name FROM imports WHERE id = new.import_id)
		FROM webhook_listeners l, versions v, modules m, blobs b
		WHERE l.event = new.source AND v.id = new.version_id AND m.id = v.module_id AND b.id = new.blob_id;
END;
