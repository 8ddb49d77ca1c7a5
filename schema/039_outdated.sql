-- SPDX-License-Identifier: Apache-2.0
--
-- How many inspections of blobs that are in the store each version of the safety rules has judged. Derived; triggers keep it
-- whoever writes.
CREATE TABLE safety_totals (
	version INTEGER PRIMARY KEY,
	inspections INTEGER NOT NULL
) STRICT;

-- Those of before come to it a thousand at a time: behind behind_id, up to last_id.
CREATE TABLE safety_counting (behind_id INTEGER NOT NULL, last_id INTEGER NOT NULL) STRICT;

INSERT INTO safety_counting SELECT 0, coalesce(max(id), 0) FROM inspections;

CREATE VIEW counted_inspections (id, blob_id, version) AS
	SELECT i.id, i.blob_id, i.safety_version FROM inspections i WHERE i.id <= (SELECT behind_id FROM safety_counting)
		OR i.id > (SELECT last_id FROM safety_counting);

CREATE TRIGGER safety_totals_added AFTER INSERT ON inspections
	WHEN (SELECT cached FROM blobs WHERE id = new.blob_id) = 1
		AND (SELECT new.id <= behind_id OR new.id > last_id FROM safety_counting)
BEGIN
	INSERT INTO safety_totals (version, inspections) SELECT new.safety_version, 0
		WHERE NOT EXISTS (SELECT 1 FROM safety_totals WHERE version = new.safety_version);
	UPDATE safety_totals SET inspections = inspections + 1 WHERE version = new.safety_version;
END;

CREATE TRIGGER safety_totals_judged AFTER UPDATE OF safety_version ON inspections
	WHEN old.safety_version <> new.safety_version AND (SELECT cached FROM blobs WHERE id = new.blob_id) = 1
		AND (SELECT new.id <= behind_id OR new.id > last_id FROM safety_counting)
BEGIN
	INSERT INTO safety_totals (version, inspections) SELECT new.safety_version, 0
		WHERE NOT EXISTS (SELECT 1 FROM safety_totals WHERE version = new.safety_version);
	UPDATE safety_totals SET inspections = inspections + 1 WHERE version = new.safety_version;
	UPDATE safety_totals SET inspections = inspections - 1 WHERE version = old.safety_version;
END;

CREATE TRIGGER safety_totals_dropped AFTER DELETE ON inspections
	WHEN (SELECT cached FROM blobs WHERE id = old.blob_id) = 1
		AND (SELECT old.id <= behind_id OR old.id > last_id FROM safety_counting)
BEGIN
	UPDATE safety_totals SET inspections = inspections - 1 WHERE version = old.safety_version;
END;

CREATE TRIGGER safety_totals_blob_changed AFTER UPDATE OF cached ON blobs
	WHEN old.cached <> new.cached
BEGIN
	INSERT INTO safety_totals (version, inspections) SELECT DISTINCT c.version, 0 FROM counted_inspections c
		WHERE c.blob_id = new.id AND NOT EXISTS (SELECT 1 FROM safety_totals t WHERE t.version = c.version);
	UPDATE safety_totals SET inspections = inspections + (new.cached - old.cached)
		* (SELECT count(*) FROM counted_inspections c WHERE c.blob_id = new.id AND c.version = safety_totals.version)
		WHERE version IN (SELECT c.version FROM counted_inspections c WHERE c.blob_id = new.id);
END;

-- Before its inspections go with it.
CREATE TRIGGER safety_totals_blob_dropped BEFORE DELETE ON blobs
	WHEN old.cached = 1
BEGIN
	UPDATE safety_totals SET inspections = inspections
		- (SELECT count(*) FROM counted_inspections c WHERE c.blob_id = old.id AND c.version = safety_totals.version)
		WHERE version IN (SELECT c.version FROM counted_inspections c WHERE c.blob_id = old.id);
END;
