-- +goose Up

-- How many bans last, and since when, without a look at all who ever waited.
ALTER TABLE throttles
  ADD INDEX IF NOT EXISTS throttles_banned (banned, until, last_at);
