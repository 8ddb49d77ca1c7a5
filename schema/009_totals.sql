-- SPDX-License-Identifier: Apache-2.0
--
-- What is counted and what came last, so that neither takes a search however many modules there are. The row of totals and
-- artifacts.arrival are derived; triggers keep them whoever writes.

-- arrival: the blob's id while the version is active, else NULL. Blobs come in the order of their ids.
ALTER TABLE artifacts ADD COLUMN arrival INTEGER;

UPDATE artifacts SET arrival = blob_id WHERE (SELECT state FROM versions WHERE id = version_id) = 'active';

CREATE INDEX artifacts_by_arrival ON artifacts (arrival) WHERE arrival IS NOT NULL;

-- When a module changed last, without reading all its versions.
CREATE INDEX versions_by_update ON versions (module_id, updated_at);

CREATE INDEX publishers_listed ON publishers (name) WHERE modules > 0;

-- One row. publishers, modules: those with an active version; artifacts: those of active versions; cached: those of them whose
-- bytes are in the store; blobs, blob_bytes: all that is in the store.
CREATE TABLE totals (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	publishers INTEGER NOT NULL,
	modules INTEGER NOT NULL,
	versions INTEGER NOT NULL,
	artifacts INTEGER NOT NULL,
	cached INTEGER NOT NULL,
	blobs INTEGER NOT NULL,
	blob_bytes INTEGER NOT NULL,
	downloads INTEGER NOT NULL
) STRICT;

INSERT INTO totals (id, publishers, modules, versions, artifacts, cached, blobs, blob_bytes, downloads) SELECT 1,
	(SELECT count(*) FROM publishers WHERE modules > 0),
	(SELECT count(*) FROM modules WHERE latest_id IS NOT NULL),
	(SELECT count(*) FROM versions WHERE state = 'active'),
	(SELECT count(*) FROM artifacts WHERE arrival IS NOT NULL),
	(SELECT count(*) FROM artifacts a JOIN blobs b ON b.id = a.arrival WHERE b.cached = 1),
	(SELECT count(*) FROM blobs WHERE cached = 1),
	(SELECT coalesce(sum(size_bytes), 0) FROM blobs WHERE cached = 1),
	(SELECT coalesce(sum(downloads), 0) FROM modules);

-- ---- publishers and modules -------------------------------------------------------------------------------------------

CREATE TRIGGER totals_publisher_listed AFTER UPDATE OF modules ON publishers
	WHEN (old.modules > 0) <> (new.modules > 0)
BEGIN
	UPDATE totals SET publishers = publishers + (new.modules > 0) - (old.modules > 0);
END;

CREATE TRIGGER totals_module_added AFTER INSERT ON modules
BEGIN
	UPDATE totals SET modules = modules + (new.latest_id IS NOT NULL), downloads = downloads + new.downloads;
END;

CREATE TRIGGER totals_module_listed AFTER UPDATE OF latest_id ON modules
	WHEN (old.latest_id IS NULL) <> (new.latest_id IS NULL)
BEGIN
	UPDATE totals SET modules = modules + (new.latest_id IS NOT NULL) - (old.latest_id IS NOT NULL);
END;

CREATE TRIGGER totals_downloaded AFTER UPDATE OF downloads ON modules
BEGIN
	UPDATE totals SET downloads = downloads + new.downloads - old.downloads;
END;

-- ---- versions ---------------------------------------------------------------------------------------------------------

CREATE TRIGGER totals_version_added AFTER INSERT ON versions
	WHEN new.state = 'active'
BEGIN
	UPDATE totals SET versions = versions + 1;
END;

CREATE TRIGGER totals_version_judged AFTER UPDATE OF state ON versions
	WHEN (old.state = 'active') <> (new.state = 'active')
BEGIN
	UPDATE totals SET versions = versions + (new.state = 'active') - (old.state = 'active');
	UPDATE artifacts SET arrival = CASE WHEN new.state = 'active' THEN blob_id END WHERE version_id = new.id;
END;

-- ---- artifacts and blobs ----------------------------------------------------------------------------------------------

CREATE TRIGGER totals_artifact_added AFTER INSERT ON artifacts
	WHEN (SELECT state FROM versions WHERE id = new.version_id) = 'active'
BEGIN
	UPDATE artifacts SET arrival = blob_id WHERE version_id = new.version_id AND format = new.format;
END;

CREATE TRIGGER totals_artifact_arrived AFTER UPDATE OF arrival ON artifacts
	WHEN (old.arrival IS NULL) <> (new.arrival IS NULL)
BEGIN
	UPDATE totals SET
		artifacts = artifacts + (new.arrival IS NOT NULL) - (old.arrival IS NOT NULL),
		cached = cached + ((new.arrival IS NOT NULL) - (old.arrival IS NOT NULL))
			* (SELECT cached FROM blobs WHERE id = new.blob_id);
END;

CREATE TRIGGER totals_blob_added AFTER INSERT ON blobs
	WHEN new.cached = 1
BEGIN
	UPDATE totals SET blobs = blobs + 1, blob_bytes = blob_bytes + new.size_bytes;
END;

CREATE TRIGGER totals_blob_changed AFTER UPDATE OF cached ON blobs
	WHEN old.cached <> new.cached
BEGIN
	UPDATE totals SET
		blobs = blobs + new.cached - old.cached,
		blob_bytes = blob_bytes + (new.cached - old.cached) * new.size_bytes,
		cached = cached + (new.cached - old.cached) * (SELECT count(*) FROM artifacts WHERE arrival = new.id);
END;
