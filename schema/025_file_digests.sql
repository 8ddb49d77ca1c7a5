-- SPDX-License-Identifier: Apache-2.0
-- The SHA-256 of each file of an archive, where it was computed: by the inspection of those that may hold anything,
-- of the others when they were unpacked. In a table of its own: a column that is checked would have all members read.

CREATE TABLE member_digests (
	inspection_id INTEGER NOT NULL REFERENCES inspections ON DELETE CASCADE,
	position INTEGER NOT NULL, -- of members
	sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
	PRIMARY KEY (inspection_id, position)
) STRICT, WITHOUT ROWID;
