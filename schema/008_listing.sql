-- SPDX-License-Identifier: Apache-2.0
--
-- How many a SavedModel has in truth, where it is listed in part (0: it was read before this was counted).
ALTER TABLE saved_models ADD COLUMN meta_graphs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE saved_models ADD COLUMN tags INTEGER NOT NULL DEFAULT 0;
ALTER TABLE saved_models ADD COLUMN signatures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE saved_models ADD COLUMN tensors INTEGER NOT NULL DEFAULT 0;
ALTER TABLE saved_models ADD COLUMN callables INTEGER NOT NULL DEFAULT 0;
ALTER TABLE saved_models ADD COLUMN nodes INTEGER NOT NULL DEFAULT 0;

-- What was listed without such bounds, and costs every reader: shapes that no TensorFlow has, and lists beyond what is kept now.
UPDATE tensors SET shape = 'null' WHERE length(shape) > 6000;
UPDATE saved_models SET truncated = 1 WHERE inspection_id IN (
	SELECT g.inspection_id FROM meta_graphs g JOIN meta_graph_tags t ON t.meta_graph_id = g.id WHERE t.position >= 4096
	UNION
	SELECT g.inspection_id FROM meta_graphs g JOIN functions f ON f.meta_graph_id = g.id
		JOIN tensors t ON t.function_id = f.id WHERE t.position >= 4096);
DELETE FROM meta_graph_tags WHERE position >= 4096;
DELETE FROM tensors WHERE position >= 4096;
DELETE FROM members WHERE position >= 32768;
