-- SPDX-License-Identifier: Apache-2.0
--
-- Which pin an eviction has found to hold a blob: what is pinned is looked at once, not again by each that needs room. NULL: none,
-- or nobody has looked. It holds until that pin goes: what serves a name serves it for ever.
ALTER TABLE blobs ADD COLUMN pinned_by TEXT REFERENCES pins ON DELETE SET NULL;

CREATE INDEX blobs_by_pin ON blobs (pinned_by) WHERE pinned_by IS NOT NULL;

DROP INDEX blobs_by_use;
CREATE INDEX blobs_by_use ON blobs (used_at, id) WHERE cached = 1 AND published = 0 AND pinned_by IS NULL;
