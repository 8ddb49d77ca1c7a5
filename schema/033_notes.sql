-- SPDX-License-Identifier: Apache-2.0
--
-- What nodes that share a bucket agree on beside modules: tokens, pins, documentation, what is held back. Which revision of such a
-- note was taken here: none is taken twice, nor one after a later one.
CREATE TABLE notes (
	topic TEXT NOT NULL,
	subject TEXT NOT NULL,
	version INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	PRIMARY KEY (topic, subject, version)
) STRICT, WITHOUT ROWID;

-- shared: all nodes have it; one that was made while the node was alone is its own.
ALTER TABLE tokens ADD COLUMN shared INTEGER NOT NULL DEFAULT 0;
