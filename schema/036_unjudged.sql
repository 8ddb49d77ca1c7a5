-- SPDX-License-Identifier: Apache-2.0
--
-- unjudged: other nodes have told of this name, and nothing of it was judged under it here. Its bytes may be here under another name:
-- they count for this one where the safety rules find nothing in them.
ALTER TABLE artifacts ADD COLUMN unjudged INTEGER NOT NULL DEFAULT 0;

UPDATE artifacts SET unjudged = 1 WHERE (SELECT elsewhere FROM space WHERE id = 1) = 1
	AND NOT EXISTS (SELECT 1 FROM inspections i WHERE i.blob_id = artifacts.blob_id AND i.format = artifacts.format);
