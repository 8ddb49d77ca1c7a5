-- SPDX-License-Identifier: Apache-2.0
--
-- Which upstreams are left alone for a while, so that a restart does not ask them at once. upstream: the SHA-256 of what the
-- configuration says of one; a row that nobody looks for any more goes with the others that are over.
CREATE TABLE cooldowns (
	upstream BLOB PRIMARY KEY CHECK (length(upstream) = 32),
	in_a_row INTEGER NOT NULL CHECK (in_a_row > 0),
	until_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
