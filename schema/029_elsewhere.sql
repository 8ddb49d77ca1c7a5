-- SPDX-License-Identifier: Apache-2.0
--
-- elsewhere: nodes share a bucket that has all that was published. Then nothing needs to stay here for that: no blob counts as
-- published, and each may go when room is needed.
ALTER TABLE space ADD COLUMN elsewhere INTEGER NOT NULL DEFAULT 0;

CREATE TRIGGER blobs_elsewhere AFTER UPDATE OF published ON blobs
	WHEN new.published = 1 AND (SELECT elsewhere FROM space WHERE id = 1) = 1
BEGIN
	UPDATE blobs SET published = 0 WHERE id = new.id;
END;
