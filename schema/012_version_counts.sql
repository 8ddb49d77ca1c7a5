-- SPDX-License-Identifier: Apache-2.0
--
-- How many versions a module has, so that a page of them can tell without reading the others. Derived, as totals are.
ALTER TABLE modules ADD COLUMN version_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE modules ADD COLUMN active_count INTEGER NOT NULL DEFAULT 0;

UPDATE modules SET
	version_count = (SELECT count(*) FROM versions WHERE module_id = modules.id),
	active_count = (SELECT count(*) FROM versions WHERE module_id = modules.id AND state = 'active');

CREATE TRIGGER modules_version_added AFTER INSERT ON versions
BEGIN
	UPDATE modules SET version_count = version_count + 1, active_count = active_count + (new.state = 'active')
		WHERE id = new.module_id;
END;

CREATE TRIGGER modules_version_judged AFTER UPDATE OF state ON versions
	WHEN (old.state = 'active') <> (new.state = 'active')
BEGIN
	UPDATE modules SET active_count = active_count + (new.state = 'active') - (old.state = 'active') WHERE id = new.module_id;
END;
