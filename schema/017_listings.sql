-- SPDX-License-Identifier: Apache-2.0
--
-- What models of every format take and give: saved_models holds a listing of each, and kind tells of what. listed: the model
-- of these bytes was looked for. What was kept before is looked at again, a file at a time, when nothing else wants to run.
ALTER TABLE saved_models ADD COLUMN kind TEXT NOT NULL DEFAULT 'saved-model';
ALTER TABLE tensors ADD COLUMN quantization TEXT; -- 'scale zero_point channels'
ALTER TABLE inspections ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;

UPDATE inspections SET listed = 1 WHERE format NOT IN ('tfjs', 'tflite', 'coral');

CREATE INDEX inspections_unlisted ON inspections (id) WHERE listed = 0;
