-- SPDX-License-Identifier: Apache-2.0
--
-- Who brought an artifact is its own fact, and no longer its version's: what was published stays, whoever brought the version
-- first. A version with a published artifact is published.
ALTER TABLE artifacts ADD COLUMN source TEXT NOT NULL DEFAULT 'mirrored' CHECK (source IN ('published', 'mirrored'));
ALTER TABLE artifacts ADD COLUMN published_by TEXT;
ALTER TABLE artifacts ADD COLUMN upstream TEXT;

DROP TRIGGER blobs_claimed;
DROP TRIGGER blobs_judged;

-- The audit log has every publishing.
UPDATE artifacts SET source = 'published', published_by = p.who
	FROM (SELECT a.version_id, a.format, max(u.who) AS who FROM audit u, artifacts a
		JOIN versions v ON v.id = a.version_id JOIN modules m ON m.id = v.module_id JOIN blobs b ON b.id = a.blob_id
		WHERE u.subject = m.handle || '/' || v.version AND u.action = 'publish'
			AND u.detail = a.format || ': sha256:' || lower(hex(b.digest))
		GROUP BY a.version_id, a.format) AS p
	WHERE artifacts.version_id = p.version_id AND artifacts.format = p.format;

-- Where it says nothing of a published version, more is kept rather than less.
UPDATE artifacts SET source = 'published', published_by = (SELECT v.published_by FROM versions v WHERE v.id = version_id)
	WHERE version_id IN (SELECT v.id FROM versions v WHERE v.source = 'published'
		AND NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.version_id = v.id AND a.source = 'published'));

UPDATE artifacts SET upstream = (SELECT v.upstream FROM versions v WHERE v.id = version_id) WHERE source = 'mirrored';

UPDATE versions SET source = 'published',
	published_by = (SELECT max(a.published_by) FROM artifacts a WHERE a.version_id = versions.id AND a.source = 'published')
	WHERE source <> 'published'
		AND EXISTS (SELECT 1 FROM artifacts a WHERE a.version_id = versions.id AND a.source = 'published');

UPDATE blobs SET published = 1 - published
	WHERE published <> EXISTS (SELECT 1 FROM artifacts a JOIN versions v ON v.id = a.version_id
		WHERE a.blob_id = blobs.id AND a.source = 'published' AND v.state <> 'withdrawn');

UPDATE modules SET latest_source = (SELECT source FROM versions WHERE id = latest_id)
	WHERE latest_source IS NOT (SELECT source FROM versions WHERE id = latest_id);

DELETE FROM module_facets WHERE value_id IN (SELECT id FROM facet_values WHERE facet = 'source');
INSERT OR IGNORE INTO facet_values (facet, value) SELECT DISTINCT 'source', source FROM versions;
INSERT OR IGNORE INTO module_facets (module_id, value_id)
	SELECT m.id, f.id FROM modules m JOIN versions v ON v.id = m.latest_id
		JOIN facet_values f ON f.facet = 'source' AND f.value = v.source;

-- published: an artifact that was published, of a version that was not withdrawn, needs the bytes.
CREATE TRIGGER blobs_claimed AFTER INSERT ON artifacts
BEGIN
	UPDATE blobs SET
		published = EXISTS (SELECT 1 FROM artifacts a JOIN versions v ON v.id = a.version_id
			WHERE a.blob_id = new.blob_id AND a.source = 'published' AND v.state <> 'withdrawn'),
		used_at = max(used_at, new.last_used_at)
		WHERE id = new.blob_id;
END;

CREATE TRIGGER blobs_published AFTER UPDATE OF source ON artifacts
BEGIN
	UPDATE blobs SET
		published = EXISTS (SELECT 1 FROM artifacts a JOIN versions v ON v.id = a.version_id
			WHERE a.blob_id = new.blob_id AND a.source = 'published' AND v.state <> 'withdrawn')
		WHERE id = new.blob_id;
END;

CREATE TRIGGER blobs_judged AFTER UPDATE OF state ON versions
BEGIN
	UPDATE blobs SET
		published = EXISTS (SELECT 1 FROM artifacts a JOIN versions v ON v.id = a.version_id
			WHERE a.blob_id = blobs.id AND a.source = 'published' AND v.state <> 'withdrawn')
		WHERE id IN (SELECT blob_id FROM artifacts WHERE version_id = new.id);
END;

-- A published version has what was published of it, and what was mirrored before: nothing of a stranger's enters it.
CREATE TRIGGER artifacts_guarded BEFORE INSERT ON artifacts
	WHEN new.source = 'mirrored' AND (SELECT source FROM versions WHERE id = new.version_id) = 'published'
BEGIN
	SELECT raise(ABORT, 'a published version takes no mirrored artifact');
END;
