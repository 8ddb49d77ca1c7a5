-- SPDX-License-Identifier: Apache-2.0
--
-- What is searched and listed. All of it but collections and listed_formats is derived: the views say from what, the statements
-- behind module_refresh() write it anew in the transaction that changes what they read, and a list reads it into memory.

-- ---- what documentation trees bring -----------------------------------------------------------------------------------

ALTER TABLE publishers ADD COLUMN icon_url TEXT;
ALTER TABLE publishers ADD COLUMN markdown TEXT;

CREATE TABLE collections (
	id INTEGER PRIMARY KEY,
	publisher_id INTEGER NOT NULL REFERENCES publishers,
	name TEXT NOT NULL,
	version INTEGER NOT NULL,
	description TEXT NOT NULL,
	markdown TEXT NOT NULL,
	updated_at INTEGER NOT NULL,
	UNIQUE (publisher_id, name)
) STRICT;

CREATE TABLE collection_tags (
	collection_id INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
	kind TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (collection_id, kind, value)
) STRICT, WITHOUT ROWID;

-- Handles that a collection links to, in its order, whether they are known or not.
CREATE TABLE collection_modules (
	collection_id INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
	position INTEGER NOT NULL,
	handle TEXT NOT NULL,
	PRIMARY KEY (collection_id, position)
) STRICT, WITHOUT ROWID;

-- Where the free part of the Markdown begins, in characters: what stands before it is in description and tags.
ALTER TABLE documentation ADD COLUMN body_at INTEGER NOT NULL DEFAULT 0;

-- Formats that a version is said to come in, before any artifact of it is here.
CREATE TABLE listed_formats (
	version_id INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
	format TEXT NOT NULL,
	PRIMARY KEY (version_id, format)
) STRICT, WITHOUT ROWID;

-- ---- what changed since -----------------------------------------------------------------------------------------------

-- revision rises with every change of a module's row, text_revision when its text or facets are written anew. Whoever has
-- read up to a revision need only read what is above it.
ALTER TABLE modules ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE modules ADD COLUMN text_revision INTEGER NOT NULL DEFAULT 0;

CREATE INDEX modules_by_revision ON modules (revision);

-- The lists that read these were replaced by the one in memory.
DROP INDEX modules_listed;

CREATE TABLE search_state (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	revision INTEGER NOT NULL
) STRICT;

INSERT INTO search_state (id, revision) VALUES (1, 1);

CREATE TRIGGER modules_revised AFTER UPDATE OF
	downloads, updated_at, latest_id, latest_cached, latest_size_bytes, text_revision ON modules
BEGIN
	UPDATE search_state SET revision = revision + 1;
	UPDATE modules SET revision = (SELECT revision FROM search_state) WHERE id = new.id;
END;

-- ---- what is derived --------------------------------------------------------------------------------------------------

CREATE VIEW current_texts (module_id, description, tags) AS
	SELECT m.id, v.description,
		coalesce((SELECT group_concat(t.value, ' ') FROM tags t WHERE t.version_id = v.id), '')
	FROM modules m JOIN versions v ON v.id = m.latest_id;

CREATE VIEW current_documents (module_id, documentation) AS
	SELECT m.id, substr(d.markdown, d.body_at + 1) FROM modules m JOIN documentation d ON d.version_id = m.latest_id;

-- What a list can be filtered by and counted in, of each module's latest version.
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
	SELECT m.id, t.kind, t.value FROM modules m JOIN tags t ON t.version_id = m.latest_id
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

-- rowid: the module's id. Words are split at everything that is no letter and no digit. Handles are searched in memory, where
-- a part of a word is enough. Two tables, since hits in the first count more and a common word is costly to find in the second.
CREATE VIRTUAL TABLE module_texts USING fts5 (
	description, tags, prefix = '1 2 3', tokenize = 'unicode61 remove_diacritics 2'
);
CREATE VIRTUAL TABLE module_documents USING fts5 (
	documentation, prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TABLE facet_values (
	id INTEGER PRIMARY KEY,
	facet TEXT NOT NULL,
	value TEXT NOT NULL,
	UNIQUE (facet, value)
) STRICT;

CREATE TABLE module_facets (
	module_id INTEGER NOT NULL REFERENCES modules,
	value_id INTEGER NOT NULL REFERENCES facet_values,
	PRIMARY KEY (module_id, value_id)
) STRICT, WITHOUT ROWID;

-- ---- filling them with what is there already --------------------------------------------------------------------------

INSERT INTO module_texts (rowid, description, tags) SELECT * FROM current_texts;
INSERT INTO module_documents (rowid, documentation) SELECT * FROM current_documents;
INSERT OR IGNORE INTO facet_values (facet, value) SELECT DISTINCT facet, value FROM current_facets;
INSERT OR IGNORE INTO module_facets (module_id, value_id)
	SELECT c.module_id, f.id FROM current_facets c JOIN facet_values f ON f.facet = c.facet AND f.value = c.value;
UPDATE modules SET revision = 1, text_revision = 1;
UPDATE search_state SET revision = revision + 1;
