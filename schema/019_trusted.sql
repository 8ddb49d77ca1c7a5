-- SPDX-License-Identifier: Apache-2.0
--
-- Whether somebody has vouched for an artifact: a token or an upstream has given these bytes, or a bundle whose signature was checked.
-- It stays: what a bundle that nobody has checked brings as well takes nothing away. What is here of such bundles may have come before.
ALTER TABLE artifacts ADD COLUMN trusted INTEGER NOT NULL DEFAULT 1 CHECK (trusted IN (0, 1));

UPDATE artifacts SET trusted = 0 WHERE import_id IN (SELECT id FROM imports WHERE signer IS NULL);
