-- SPDX-License-Identifier: Apache-2.0
-- When an upstream's bytes were last found to be others than those recorded. The audit log tells people of it; nobody
-- is to search it for that.
CREATE TABLE quarantines (
	handle TEXT NOT NULL,
	version INTEGER NOT NULL,
	format TEXT NOT NULL,
	at INTEGER NOT NULL,
	PRIMARY KEY (handle, version, format)
) STRICT, WITHOUT ROWID;

-- subject is "handle/version", detail begins with "format:".
INSERT INTO quarantines (handle, version, format, at)
	SELECT substr(subject, 1, length(rtrim(subject, '0123456789')) - 1),
		CAST(substr(subject, length(rtrim(subject, '0123456789')) + 1) AS INTEGER),
		substr(detail, 1, instr(detail, ':') - 1), max(at)
	FROM audit WHERE action = 'quarantine' AND instr(detail, ':') > 0 GROUP BY 1, 2, 3;
