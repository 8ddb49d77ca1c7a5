-- SPDX-License-Identifier: Apache-2.0
--
-- What other programs are to be told: a row for each [webhook] that wants to know, written in the transaction that changes what it
-- tells of, whichever process that is. Who has delivered one takes it away.

-- Those of the configuration that a daemon was started with last.
CREATE TABLE webhooks (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	gone INTEGER NOT NULL DEFAULT 0, -- its receiver has answered 410, and no daemon was started since
	delivered INTEGER NOT NULL DEFAULT 0,
	failed INTEGER NOT NULL DEFAULT 0, -- attempts
	given_up INTEGER NOT NULL DEFAULT 0,
	delivered_at INTEGER NOT NULL DEFAULT 0,
	failed_at INTEGER NOT NULL DEFAULT 0,
	status INTEGER NOT NULL DEFAULT 0, -- of the last answer; 0: there was none
	reason TEXT -- why the last attempt that failed did
) STRICT;

-- What each of them wants to know. pending is derived. dropped: the oldest, where there were too many.
CREATE TABLE webhook_events (
	event TEXT NOT NULL CHECK (event IN ('published', 'mirrored', 'withdrawn', 'quarantined', 'fill_failed')),
	webhook_id INTEGER NOT NULL REFERENCES webhooks ON DELETE CASCADE,
	pending INTEGER NOT NULL DEFAULT 0,
	dropped INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (event, webhook_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_events_by_webhook ON webhook_events (webhook_id);

-- message: what a receiver tells one from another by, however often it comes. lane: 0 goes before 1, which is what requests of
-- strangers bring about. who: a token, or an upstream.
CREATE TABLE webhook_queue (
	id INTEGER PRIMARY KEY,
	webhook_id INTEGER NOT NULL REFERENCES webhooks ON DELETE CASCADE,
	event TEXT NOT NULL,
	message TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
	lane INTEGER NOT NULL,
	at INTEGER NOT NULL,
	due_at INTEGER NOT NULL DEFAULT (unixepoch()),
	attempts INTEGER NOT NULL DEFAULT 0,
	subject TEXT NOT NULL, -- "handle/version"
	format TEXT,
	digest BLOB CHECK (digest IS NULL OR length(digest) = 32),
	size_bytes INTEGER,
	who TEXT,
	code TEXT, -- an error's
	detail TEXT,
	others INTEGER NOT NULL DEFAULT 0 -- of its kind, which were not told of
) STRICT;

CREATE INDEX webhook_queue_by_turn ON webhook_queue (webhook_id, lane, due_at, id);
CREATE INDEX webhook_queue_by_event ON webhook_queue (webhook_id, event, id);

-- Of each event a webhook has 10,000 that wait: what comes often takes no room from what comes seldom.
CREATE TRIGGER webhook_queue_added AFTER INSERT ON webhook_queue
BEGIN
	UPDATE webhook_events SET pending = pending + 1, dropped = dropped + (pending >= 10000)
		WHERE event = new.event AND webhook_id = new.webhook_id;
	DELETE FROM webhook_queue
		WHERE id = (SELECT min(id) FROM webhook_queue WHERE webhook_id = new.webhook_id AND event = new.event)
			AND (SELECT pending FROM webhook_events WHERE event = new.event AND webhook_id = new.webhook_id) > 10000;
END;

CREATE TRIGGER webhook_queue_taken AFTER DELETE ON webhook_queue
BEGIN
	UPDATE webhook_events SET pending = pending - 1 WHERE event = old.event AND webhook_id = old.webhook_id;
END;

-- ---- what is told -----------------------------------------------------------------------------------------------------

CREATE VIEW webhook_listeners (webhook_id, event) AS
	SELECT e.webhook_id, e.event FROM webhook_events e JOIN webhooks w ON w.id = e.webhook_id WHERE w.gone = 0;

-- Bytes that come back after an eviction are nothing new: their row stayed.
CREATE TRIGGER webhook_artifact_added AFTER INSERT ON artifacts
	WHEN EXISTS (SELECT 1 FROM webhooks)
BEGIN
	INSERT INTO webhook_queue (webhook_id, event, lane, at, subject, format, digest, size_bytes, who, detail)
		SELECT l.webhook_id, l.event, l.event = 'mirrored', new.created_at, m.handle || '/' || v.version, new.format,
			b.digest, b.size_bytes, coalesce(new.published_by, new.upstream),
			(SELECT name FROM imports WHERE id = new.import_id)
		FROM webhook_listeners l, versions v, modules m, blobs b
		WHERE l.event = new.source AND v.id = new.version_id AND m.id = v.module_id AND b.id = new.blob_id;
END;

CREATE TRIGGER webhook_artifact_published AFTER UPDATE OF source ON artifacts
	WHEN new.source = 'published' AND old.source <> 'published' AND EXISTS (SELECT 1 FROM webhooks)
BEGIN
	INSERT INTO webhook_queue (webhook_id, event, lane, at, subject, format, digest, size_bytes, who, detail)
		SELECT l.webhook_id, l.event, 0, unixepoch(), m.handle || '/' || v.version, new.format, b.digest, b.size_bytes,
			new.published_by, (SELECT name FROM imports WHERE id = new.import_id)
		FROM webhook_listeners l, versions v, modules m, blobs b
		WHERE l.event = new.source AND v.id = new.version_id AND m.id = v.module_id AND b.id = new.blob_id;
END;

-- The detail of a quarantine begins with "format:". Whoever asks for what upstream has changed brings one about.
CREATE TRIGGER webhook_audited AFTER INSERT ON audit
	WHEN new.action IN ('withdraw', 'quarantine') AND EXISTS (SELECT 1 FROM webhooks)
BEGIN
	INSERT INTO webhook_queue (webhook_id, event, lane, at, subject, format, who, detail)
		SELECT l.webhook_id, l.event, new.action = 'quarantine', new.at, new.subject,
			CASE new.action WHEN 'quarantine' THEN substr(new.detail, 1, instr(new.detail, ':') - 1) END,
			new.who, CASE new.action WHEN 'quarantine' THEN ltrim(substr(new.detail, instr(new.detail, ':') + 1)) END
		FROM webhook_listeners l
		WHERE l.event = CASE new.action WHEN 'withdraw' THEN 'withdrawn' ELSE 'quarantined' END;
END;
