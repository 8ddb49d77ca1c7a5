-- SPDX-License-Identifier: Apache-2.0
--
-- store_id: which bucket this is an index of; empty: of none, everything is in the folder.
ALTER TABLE space ADD COLUMN store_id TEXT NOT NULL DEFAULT '';
