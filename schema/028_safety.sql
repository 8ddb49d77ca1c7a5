-- SPDX-License-Identifier: Apache-2.0
--
-- What the safety rules have found in a blob, and by which version of them it was judged; 0: by none yet.
ALTER TABLE inspections ADD COLUMN safety_version INTEGER NOT NULL DEFAULT 0;

CREATE TABLE safety_findings (
	inspection_id INTEGER NOT NULL REFERENCES inspections ON DELETE CASCADE,
	position INTEGER NOT NULL,
	rule TEXT NOT NULL,
	severity TEXT NOT NULL CHECK (severity IN ('info', 'low', 'medium', 'high', 'critical')),
	place TEXT NOT NULL,
	detail TEXT NOT NULL,
	PRIMARY KEY (inspection_id, position)
) STRICT, WITHOUT ROWID;

-- They are values that lists can be filtered by, as warnings are.
DROP VIEW current_facets;
CREATE VIEW current_facets (module_id, facet, value) AS
	SELECT m.id, 'publisher', p.name FROM modules m JOIN publishers p ON p.id = m.publisher_id
		WHERE m.latest_id IS NOT NULL
	UNION ALL
	SELECT m.id, 'source', v.source FROM modules m JOIN versions v ON v.id = m.latest_id
	UNION ALL
	SELECT m.id, 'format', a.format FROM modules m JOIN artifacts a ON a.version_id = m.latest_id
	UNION ALL
	SELECT m.id, 'format', f.format FROM modules m JOIN listed_formats f ON f.version_id = m.latest_id
	UNION ALL
	SELECT m.id, t.kind, t.value FROM modules m JOIN tags t ON t.version_id = coalesce(m.described_id, m.latest_id)
		WHERE t.kind IN ('task', 'dataset', 'language', 'architecture', 'license', 'fine_tunable')
	UNION ALL
	SELECT m.id, 'op', o.op FROM modules m JOIN artifacts a ON a.version_id = m.latest_id
		JOIN inspections i ON i.blob_id = a.blob_id AND i.format = a.format
		JOIN meta_graphs g ON g.inspection_id = i.id JOIN op_counts o ON o.meta_graph_id = g.id
	UNION ALL
	SELECT m.id, t.direction || '_dtype', CAST(t.dtype AS TEXT) FROM modules m
		JOIN artifacts a ON a.version_id = m.latest_id
		JOIN inspections i ON i.blob_id = a.blob_id AND i.format = a.format
		JOIN meta_graphs g ON g.inspection_id = i.id JOIN functions f ON f.meta_graph_id = g.id
		JOIN tensors t ON t.function_id = f.id WHERE t.encoding <> 'literal'
	UNION ALL
	SELECT m.id, 'tag', t.tag FROM modules m JOIN artifacts a ON a.version_id = m.latest_id
		JOIN inspections i ON i.blob_id = a.blob_id AND i.format = a.format
		JOIN meta_graphs g ON g.inspection_id = i.id JOIN meta_graph_tags t ON t.meta_graph_id = g.id
	UNION ALL
	SELECT m.id, 'tensorflow_version', g.tensorflow_version FROM modules m
		JOIN artifacts a ON a.version_id = m.latest_id
		JOIN inspections i ON i.blob_id = a.blob_id AND i.format = a.format
		JOIN meta_graphs g ON g.inspection_id = i.id WHERE g.tensorflow_version <> ''
	UNION ALL
	SELECT m.id, 'parent_model', rtrim(rtrim(t.value, '0123456789'), '/') FROM modules m
		JOIN tags t ON t.version_id = coalesce(m.described_id, m.latest_id)
		WHERE t.kind = 'parent_model' AND rtrim(t.value, '0123456789') LIKE '%_/' AND t.value NOT LIKE '%/'
	UNION ALL
	SELECT m.id, 'finding', f.rule FROM modules m JOIN artifacts a ON a.version_id = m.latest_id
		JOIN inspections i ON i.blob_id = a.blob_id AND i.format = a.format
		JOIN findings f ON f.inspection_id = i.id WHERE f.severity = 'warning'
	UNION ALL
	SELECT m.id, 'finding', f.rule FROM modules m JOIN artifacts a ON a.version_id = m.latest_id
		JOIN inspections i ON i.blob_id = a.blob_id AND i.format = a.format
		JOIN safety_findings f ON f.inspection_id = i.id WHERE f.severity <> 'info';
