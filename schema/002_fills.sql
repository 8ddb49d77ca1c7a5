-- SPDX-License-Identifier: Apache-2.0
--
-- Fills whose transfer can be taken up by another process: which draft holds how much of which object. durable_bytes of
-- the draft survive even a crash of the machine; while boot_id is still the machine's, all of the file counts.
CREATE TABLE fills (
	id INTEGER PRIMARY KEY,
	handle TEXT NOT NULL,
	version INTEGER NOT NULL,
	format TEXT NOT NULL,
	draft TEXT NOT NULL UNIQUE,
	upstream TEXT NOT NULL,
	etag TEXT NOT NULL,
	last_modified TEXT NOT NULL,
	total_bytes INTEGER NOT NULL, -- -1: not told
	durable_bytes INTEGER NOT NULL,
	boot_id TEXT NOT NULL,
	updated_at INTEGER NOT NULL,
	UNIQUE (handle, version, format)
) STRICT;
