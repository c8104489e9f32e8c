-- +goose Up

-- A pass may be for somebody who works in a database by way of the panel, as
-- long as that session of the panel lasts. The token is in the address of the
-- pages; only its hash is kept.
ALTER TABLE database_passes ADD COLUMN IF NOT EXISTS session_id BIGINT UNSIGNED NOT NULL DEFAULT 0;
ALTER TABLE database_passes ADD COLUMN IF NOT EXISTS read_only TINYINT(1) NOT NULL DEFAULT 0;
ALTER TABLE database_passes ADD COLUMN IF NOT EXISTS token_hash BINARY(32) NULL;
ALTER TABLE database_passes ADD UNIQUE KEY IF NOT EXISTS database_passes_token (token_hash);
ALTER TABLE database_passes ADD KEY IF NOT EXISTS database_passes_session (session_id);
