-- +goose Up

-- Somebody of the team who acts for an association: until when, and in whose
-- name each act was.
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS behalf_id BIGINT UNSIGNED NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS behalf_until DATETIME(6) NULL;
ALTER TABLE audit_entries ADD COLUMN IF NOT EXISTS behalf VARCHAR(120) NOT NULL DEFAULT '';
ALTER TABLE audit_entries ADD KEY IF NOT EXISTS audit_entries_actor (account_id, actor);
