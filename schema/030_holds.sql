-- SPDX-License-Identifier: Apache-2.0
--
-- Artifacts that the policy has held back, and what was decided of some by whoever may. A version is quarantined while one of its
-- artifacts is held or rejected. reason: the findings, or the words of whoever decided.
CREATE TABLE holds (
	version_id INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
	format TEXT NOT NULL,
	decision TEXT NOT NULL CHECK (decision IN ('held', 'approved', 'rejected')),
	reason TEXT NOT NULL,
	who TEXT,
	at INTEGER NOT NULL,
	PRIMARY KEY (version_id, format)
) STRICT, WITHOUT ROWID;
