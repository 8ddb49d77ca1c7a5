-- SPDX-License-Identifier: Apache-2.0
--
-- When this node saw a token last, and from where.
CREATE TABLE token_uses (
	token_id INTEGER PRIMARY KEY REFERENCES tokens ON DELETE CASCADE,
	at INTEGER NOT NULL,
	origin TEXT NOT NULL
) STRICT;
