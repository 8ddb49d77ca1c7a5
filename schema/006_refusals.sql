-- SPDX-License-Identifier: Apache-2.0
--
-- What upstreams said no to for good is remembered as absences are: whether it failed (or is not there), and the sentence
-- that clients were told; '' for what was noted before.

ALTER TABLE absences ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE absences ADD COLUMN reason TEXT NOT NULL DEFAULT '';
