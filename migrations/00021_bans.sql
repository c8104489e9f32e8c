-- +goose Up

-- What the team needs to see who is slowed down and why: the address or network
-- of a source, and the name of a login or person that exists. What was typed
-- as a name and is none stays unknown: it is sometimes a password.
ALTER TABLE throttles
  ADD COLUMN IF NOT EXISTS kind   VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS label  VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS wrong  INT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS banned TINYINT(1) NOT NULL DEFAULT 0,
  ADD KEY IF NOT EXISTS throttles_until (until);
