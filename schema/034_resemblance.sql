-- SPDX-License-Identifier: Apache-2.0
--
-- What a handle, and a publisher's name, looks like: those that people take for one another have the same look.
-- server/store/catalog/catalog_resemblance.c makes the same of a new handle; tests/unit/test_resemblance.c holds the two against
-- each other.
CREATE TABLE looks (
	look TEXT NOT NULL,
	name TEXT NOT NULL, -- a handle, or a publisher's name, which has no "/"
	PRIMARY KEY (look, name)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER looks_of_module AFTER INSERT ON modules
BEGIN
	INSERT OR IGNORE INTO looks (name, look) VALUES (new.handle,
		replace(replace(replace(replace(replace(replace(replace(lower(new.handle),
			'_', '-'), '.', '-'), '0', 'o'), '1', 'l'), 'i', 'l'), 'rn', 'm'), 'vv', 'w'));
END;

CREATE TRIGGER looks_of_publisher AFTER INSERT ON publishers
BEGIN
	INSERT OR IGNORE INTO looks (name, look) VALUES (new.name,
		replace(replace(replace(replace(replace(lower(new.name), '0', 'o'), '1', 'l'), 'i', 'l'), 'rn', 'm'), 'vv', 'w'));
END;

-- Of those that were here before up to these ids are still to be looked at, from the last on.
CREATE TABLE unlooked (
	kind TEXT PRIMARY KEY CHECK (kind IN ('modules', 'publishers')),
	up_to INTEGER NOT NULL
) STRICT;

INSERT INTO unlooked (kind, up_to) SELECT 'modules', coalesce(max(id), 0) FROM modules;
INSERT INTO unlooked (kind, up_to) SELECT 'publishers', coalesce(max(id), 0) FROM publishers;
