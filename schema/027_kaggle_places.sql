-- SPDX-License-Identifier: Apache-2.0
-- Where Kaggle has what had another name, as documentation trees tell it. version 0: each of them; place_version 0: the same.

CREATE TABLE kaggle_places (
	handle TEXT NOT NULL,
	version INTEGER NOT NULL,
	place TEXT NOT NULL,
	place_version INTEGER NOT NULL,
	PRIMARY KEY (handle, version)
) STRICT, WITHOUT ROWID;
