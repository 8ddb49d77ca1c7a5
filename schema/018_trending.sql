-- SPDX-License-Identifier: Apache-2.0
--
-- Downloads of each day, kept for a year, and what they make of a module's place among others.

-- day: since 1970, in UTC. At most one row a module and day of the last year.
CREATE TABLE download_days (
	module_id INTEGER NOT NULL REFERENCES modules,
	day INTEGER NOT NULL,
	downloads INTEGER NOT NULL,
	PRIMARY KEY (module_id, day)
) STRICT, WITHOUT ROWID;

CREATE INDEX download_days_by_day ON download_days (day);

-- Downloads, each half as much for every week that has passed since: as a logarithm that counts from 1970, so that it stays as it
-- is while time goes by, and of two modules the one that is ahead stays so. 0: never downloaded since this is counted.
ALTER TABLE modules ADD COLUMN trend INTEGER NOT NULL DEFAULT 0;

-- What came last, by its own time: equal bytes are as new as others.
CREATE INDEX artifacts_by_creation ON artifacts (created_at) WHERE arrival IS NOT NULL;

-- Publishers that have told what they are called.
CREATE INDEX publishers_displayed ON publishers (name, display_name, modules) WHERE display_name IS NOT NULL;
