-- SPDX-License-Identifier: Apache-2.0
--
-- The audit log becomes a chain (server/store/audit_chain.h). Rows that were there before stay as they are, without a
-- hash: the chain begins with a row that says so, which whoever writes the next one writes before it. So however many
-- they are, a start waits for none.

-- from_where: the client's address as the server knows it, or "command line, uid 0".
ALTER TABLE audit ADD COLUMN from_where TEXT;
ALTER TABLE audit ADD COLUMN digest_before TEXT;
ALTER TABLE audit ADD COLUMN digest_after TEXT;
ALTER TABLE audit ADD COLUMN hash BLOB;

-- The last row of the chain, so that it shows when that one is gone.
CREATE TABLE audit_head (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	audit_id INTEGER NOT NULL,
	hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
