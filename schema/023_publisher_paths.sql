-- SPDX-License-Identifier: Apache-2.0
--
-- Publishers by what the names of their collections begin with: a dash sorts before the slash.
CREATE INDEX publishers_by_path ON publishers (name || '/');
