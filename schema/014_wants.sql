-- SPDX-License-Identifier: Apache-2.0
-- What was asked for while mirror.offline was on, and is not here. asker is a digest of the client that asked first: each
-- has a share of the rows, so that nobody's nonsense drives out what others want.
CREATE TABLE wants (
	handle TEXT NOT NULL,
	version INTEGER NOT NULL,
	format TEXT NOT NULL,
	asker TEXT NOT NULL,
	times INTEGER NOT NULL,
	last_at INTEGER NOT NULL,
	PRIMARY KEY (handle, version, format)
) STRICT, WITHOUT ROWID;

CREATE INDEX wants_by_asker ON wants (asker, times, last_at);
CREATE INDEX wants_by_weight ON wants (times, last_at);
