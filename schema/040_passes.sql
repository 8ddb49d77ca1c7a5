-- SPDX-License-Identifier: Apache-2.0
--
-- Passes over the store, in which each blob is held against its digest: the one that runs, or was interrupted (started_at 0: none
-- does), and the last whole one. behind: the digest up to which it came.
CREATE TABLE passes (
	kind TEXT PRIMARY KEY CHECK (kind IN ('verify', 'scrub')),
	started_at INTEGER NOT NULL DEFAULT 0,
	behind BLOB CHECK (behind IS NULL OR length(behind) = 32),
	blobs INTEGER NOT NULL DEFAULT 0,
	bytes INTEGER NOT NULL DEFAULT 0,
	damaged INTEGER NOT NULL DEFAULT 0,
	last_started_at INTEGER NOT NULL DEFAULT 0,
	last_ended_at INTEGER NOT NULL DEFAULT 0,
	last_blobs INTEGER NOT NULL DEFAULT 0,
	last_bytes INTEGER NOT NULL DEFAULT 0,
	last_damaged INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
