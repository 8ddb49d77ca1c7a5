-- SPDX-License-Identifier: Apache-2.0
--
-- What was attested of versions, as it was sent: also of one that is not there yet, since whoever may publish a
-- version only with a signature sends that before. subject: the artifact that it is about. signed_by, key_id: the
-- trusted key that had signed it when it came, if any had.
CREATE TABLE attestations (
	id INTEGER PRIMARY KEY,
	handle TEXT NOT NULL,
	version INTEGER NOT NULL,
	digest BLOB NOT NULL,
	predicate_type TEXT NOT NULL,
	subject BLOB NOT NULL,
	signed_by TEXT,
	key_id TEXT,
	who TEXT,
	created_at INTEGER NOT NULL,
	text TEXT NOT NULL,
	pending INTEGER NOT NULL DEFAULT 0,
	UNIQUE (handle, version, digest)
) STRICT;

-- Those whose version may never come.
CREATE INDEX attestations_pending ON attestations (created_at) WHERE pending;
