-- SPDX-License-Identifier: Apache-2.0
-- Inspections whose archive is read once more for the digests of its files, when nothing else wants to run.

CREATE TABLE undigested (
	inspection_id INTEGER PRIMARY KEY REFERENCES inspections ON DELETE CASCADE
) STRICT;

-- Those of before come to it a thousand at a time: behind behind_id, up to last_id.
CREATE TABLE undigested_before (behind_id INTEGER NOT NULL, last_id INTEGER NOT NULL) STRICT;

INSERT INTO undigested_before SELECT 0, coalesce(max(id), 0) FROM inspections;
