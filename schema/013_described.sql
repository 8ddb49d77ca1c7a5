-- SPDX-License-Identifier: Apache-2.0
--
-- A new version begins without documentation, and its module is not to vanish from searches for that: description and tags
-- are those of the newest active version whose documentation has a head, the text that of the newest that has any. All of
-- this is derived; NULL stands for the latest version.
ALTER TABLE versions ADD COLUMN documented INTEGER NOT NULL DEFAULT 0; -- 1: with a text, 2: with a head as well
ALTER TABLE modules ADD COLUMN described_id INTEGER REFERENCES versions;
ALTER TABLE modules ADD COLUMN documented_id INTEGER REFERENCES versions;

UPDATE versions SET documented = 1 + (SELECT body_at > 0 FROM documentation WHERE version_id = versions.id)
	WHERE id IN (SELECT version_id FROM documentation);

CREATE INDEX versions_described ON versions (module_id, version) WHERE documented = 2 AND state = 'active';
CREATE INDEX versions_documented ON versions (module_id, version) WHERE documented > 0 AND state = 'active';

CREATE TRIGGER versions_documentation_added AFTER INSERT ON documentation
BEGIN
	UPDATE versions SET documented = 1 + (new.body_at > 0) WHERE id = new.version_id;
END;

CREATE TRIGGER versions_documentation_replaced AFTER UPDATE OF body_at ON documentation
BEGIN
	UPDATE versions SET documented = 1 + (new.body_at > 0) WHERE id = new.version_id;
END;

-- ---- who reads them ---------------------------------------------------------------------------------------------------

DROP VIEW current_texts;
CREATE VIEW current_texts (module_id, description, tags) AS
	SELECT m.id, v.description,
		coalesce((SELECT group_concat(t.value, ' ') FROM tags t WHERE t.version_id = v.id), '')
	FROM modules m JOIN versions v ON v.id = coalesce(m.described_id, m.latest_id);

DROP VIEW current_documents;
CREATE VIEW current_documents (module_id, documentation) AS
	SELECT m.id, substr(d.markdown, d.body_at + 1) FROM modules m
		JOIN documentation d ON d.version_id = coalesce(m.documented_id, m.latest_id);

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
		JOIN meta_graphs g ON g.inspection_id = i.id WHERE g.tensorflow_version <> '';

-- ---- what is there already --------------------------------------------------------------------------------------------

UPDATE modules SET
	described_id = (SELECT id FROM versions WHERE module_id = modules.id AND documented = 2 AND state = 'active'
		ORDER BY version DESC LIMIT 1),
	documented_id = (SELECT id FROM versions WHERE module_id = modules.id AND documented > 0 AND state = 'active'
		ORDER BY version DESC LIMIT 1);

CREATE TEMP TABLE changed AS SELECT id FROM modules
	WHERE coalesce(described_id, latest_id) <> latest_id OR coalesce(documented_id, latest_id) <> latest_id;
DELETE FROM module_texts WHERE rowid IN (SELECT id FROM changed);
INSERT INTO module_texts (rowid, description, tags)
	SELECT c.* FROM changed JOIN current_texts c ON c.module_id = changed.id;
DELETE FROM module_documents WHERE rowid IN (SELECT id FROM changed);
INSERT INTO module_documents (rowid, documentation)
	SELECT c.* FROM changed JOIN current_documents c ON c.module_id = changed.id;
INSERT OR IGNORE INTO facet_values (facet, value)
	SELECT c.facet, c.value FROM changed JOIN current_facets c ON c.module_id = changed.id;
DELETE FROM module_facets WHERE module_id IN (SELECT id FROM changed);
INSERT OR IGNORE INTO module_facets (module_id, value_id)
	SELECT c.module_id, f.id FROM changed JOIN current_facets c ON c.module_id = changed.id
	JOIN facet_values f ON f.facet = c.facet AND f.value = c.value;
UPDATE modules SET text_revision = (SELECT revision + 1 FROM search_state) WHERE id IN (SELECT id FROM changed);
DROP TABLE changed;
