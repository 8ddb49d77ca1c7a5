-- SPDX-License-Identifier: Apache-2.0
--
-- What Larder knows. Times are seconds since 1970, booleans 0 or 1, enumerations the words of the interface.
-- This file is history as soon as it was released: changes go into a new one.

-- ---- names ---------------------------------------------------------------------------------------------------------

CREATE TABLE publishers (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	display_name TEXT,
	modules INTEGER NOT NULL DEFAULT 0 -- derived: its modules with an active version (trigger below)
) STRICT;

-- The columns from downloads on are derived, so that a listing reads one row a module. They change in the transaction that
-- changes what they are derived from. The latest version is the highest active one; without one the module is not listed.
CREATE TABLE modules (
	id INTEGER PRIMARY KEY,
	publisher_id INTEGER NOT NULL REFERENCES publishers,
	handle TEXT NOT NULL UNIQUE,
	downloads INTEGER NOT NULL DEFAULT 0,
	updated_at INTEGER NOT NULL DEFAULT 0,
	latest_id INTEGER REFERENCES versions,
	latest_source TEXT,
	latest_formats TEXT NOT NULL DEFAULT '', -- ",tf-hub,tfjs,"
	latest_cached INTEGER NOT NULL DEFAULT 0, -- every artifact is in the store, and there is one
	latest_size_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX modules_by_publisher ON modules (publisher_id);
CREATE INDEX modules_by_latest ON modules (latest_id);
CREATE INDEX modules_listed ON modules (handle, latest_id, latest_source, latest_formats, latest_cached)
	WHERE latest_id IS NOT NULL;

CREATE TRIGGER modules_count AFTER UPDATE OF latest_id ON modules
	WHEN (old.latest_id IS NULL) <> (new.latest_id IS NULL)
BEGIN
	UPDATE publishers SET modules = modules + (CASE WHEN new.latest_id IS NULL THEN -1 ELSE 1 END)
		WHERE id = new.publisher_id;
END;

CREATE TABLE versions (
	id INTEGER PRIMARY KEY,
	module_id INTEGER NOT NULL REFERENCES modules,
	version INTEGER NOT NULL CHECK (version >= 1),
	source TEXT NOT NULL CHECK (source IN ('published', 'mirrored', 'listed')),
	state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'withdrawn', 'quarantined')),
	published_by TEXT,
	upstream TEXT,
	description TEXT NOT NULL DEFAULT '',
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	UNIQUE (module_id, version)
) STRICT;

CREATE INDEX versions_active ON versions (module_id, version) WHERE state = 'active';

-- Task, dataset, language, architecture, license … of a version.
CREATE TABLE tags (
	version_id INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
	kind TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (version_id, kind, value)
) STRICT, WITHOUT ROWID;

CREATE INDEX tags_by_value ON tags (kind, value);

CREATE TABLE documentation (
	version_id INTEGER PRIMARY KEY REFERENCES versions ON DELETE CASCADE,
	markdown TEXT NOT NULL,
	updated_by TEXT,
	updated_at INTEGER NOT NULL
) STRICT;

-- ---- bytes ---------------------------------------------------------------------------------------------------------

-- A row outlives the file: cached tells whether the bytes are in the store.
CREATE TABLE blobs (
	id INTEGER PRIMARY KEY,
	digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
	md5 BLOB NOT NULL CHECK (length(md5) = 16),
	size_bytes INTEGER NOT NULL,
	unpacked_bytes INTEGER NOT NULL,
	file_count INTEGER NOT NULL,
	cached INTEGER NOT NULL,
	added_at INTEGER NOT NULL
) STRICT;

CREATE INDEX blobs_cached ON blobs (size_bytes) WHERE cached = 1;

CREATE TABLE artifacts (
	version_id INTEGER NOT NULL REFERENCES versions,
	format TEXT NOT NULL,
	blob_id INTEGER NOT NULL REFERENCES blobs,
	downloads INTEGER NOT NULL DEFAULT 0,
	created_at INTEGER NOT NULL,
	last_used_at INTEGER NOT NULL,
	PRIMARY KEY (version_id, format)
) STRICT, WITHOUT ROWID;

CREATE INDEX artifacts_by_blob ON artifacts (blob_id);
CREATE INDEX artifacts_by_use ON artifacts (last_used_at);

-- ---- what the bytes say --------------------------------------------------------------------------------------------

-- One examination of a blob as one format; many versions may share it. All below hangs on it.
CREATE TABLE inspections (
	id INTEGER PRIMARY KEY,
	blob_id INTEGER NOT NULL REFERENCES blobs ON DELETE CASCADE,
	format TEXT NOT NULL,
	UNIQUE (blob_id, format)
) STRICT;

CREATE TABLE members (
	inspection_id INTEGER NOT NULL REFERENCES inspections ON DELETE CASCADE,
	position INTEGER NOT NULL,
	path TEXT NOT NULL,
	is_folder INTEGER NOT NULL,
	size_bytes INTEGER NOT NULL,
	PRIMARY KEY (inspection_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE findings (
	inspection_id INTEGER NOT NULL REFERENCES inspections ON DELETE CASCADE,
	position INTEGER NOT NULL,
	severity TEXT NOT NULL CHECK (severity IN ('warning', 'violation')),
	rule TEXT NOT NULL,
	path TEXT NOT NULL,
	message TEXT NOT NULL,
	PRIMARY KEY (inspection_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE saved_models (
	inspection_id INTEGER PRIMARY KEY REFERENCES inspections ON DELETE CASCADE,
	tf1_hub INTEGER NOT NULL,
	is_text INTEGER NOT NULL,
	truncated INTEGER NOT NULL,
	schema_version INTEGER NOT NULL
) STRICT;

CREATE TABLE meta_graphs (
	id INTEGER PRIMARY KEY,
	inspection_id INTEGER NOT NULL REFERENCES saved_models ON DELETE CASCADE,
	position INTEGER NOT NULL,
	tensorflow_version TEXT NOT NULL,
	UNIQUE (inspection_id, position)
) STRICT;

CREATE TABLE meta_graph_tags (
	meta_graph_id INTEGER NOT NULL REFERENCES meta_graphs ON DELETE CASCADE,
	position INTEGER NOT NULL,
	tag TEXT NOT NULL,
	PRIMARY KEY (meta_graph_id, position)
) STRICT, WITHOUT ROWID;

-- Signatures and callables: what can be called by name. Only signatures have a method.
CREATE TABLE functions (
	id INTEGER PRIMARY KEY,
	meta_graph_id INTEGER NOT NULL REFERENCES meta_graphs ON DELETE CASCADE,
	kind TEXT NOT NULL CHECK (kind IN ('signature', 'callable')),
	position INTEGER NOT NULL,
	name TEXT NOT NULL,
	method TEXT,
	UNIQUE (meta_graph_id, kind, position)
) STRICT;

-- shape: NULL without a shape message, 'null' for unknown rank, else '[-1,784]'.
CREATE TABLE tensors (
	function_id INTEGER NOT NULL REFERENCES functions ON DELETE CASCADE,
	direction TEXT NOT NULL CHECK (direction IN ('input', 'output')),
	position INTEGER NOT NULL,
	name TEXT,
	encoding TEXT NOT NULL CHECK (encoding IN ('dense', 'coo', 'composite', 'literal')),
	tensor TEXT,
	values_tensor TEXT,
	indices_tensor TEXT,
	dense_shape_tensor TEXT,
	type TEXT,
	dtype INTEGER NOT NULL,
	shape TEXT,
	PRIMARY KEY (function_id, direction, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE op_counts (
	meta_graph_id INTEGER NOT NULL REFERENCES meta_graphs ON DELETE CASCADE,
	position INTEGER NOT NULL,
	op TEXT NOT NULL,
	count INTEGER NOT NULL,
	PRIMARY KEY (meta_graph_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX op_counts_by_op ON op_counts (op);

-- ---- the house's own -----------------------------------------------------------------------------------------------

-- What upstreams were found not to have. No reference to modules: most of these names are nobody's.
CREATE TABLE absences (
	id INTEGER PRIMARY KEY,
	handle TEXT NOT NULL,
	version INTEGER NOT NULL,
	format TEXT NOT NULL,
	until_s INTEGER NOT NULL,
	UNIQUE (handle, version, format)
) STRICT;

-- hash is the SHA-256 of the secret, which is kept nowhere. expires_at 0: never; revoked_at 0: not.
CREATE TABLE tokens (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
	scopes TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL DEFAULT 0,
	revoked_at INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX tokens_by_name ON tokens (name);

-- Who did what to which name, and when.
CREATE TABLE audit (
	id INTEGER PRIMARY KEY,
	at INTEGER NOT NULL,
	who TEXT,
	action TEXT NOT NULL,
	subject TEXT NOT NULL,
	detail TEXT
) STRICT;

CREATE INDEX audit_by_subject ON audit (subject);

-- One row that the readiness check writes.
CREATE TABLE health (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	checked_at INTEGER NOT NULL
) STRICT;
