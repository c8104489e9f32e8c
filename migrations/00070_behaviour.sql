-- +goose Up

-- How a site answers, beyond its names and its folder: hosting.Behaviour as JSON.
ALTER TABLE sites ADD COLUMN IF NOT EXISTS behaviour MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '{}' AFTER held;

-- The versions of PHP that the machine has, as its agent saw.
ALTER TABLE nodes ADD COLUMN IF NOT EXISTS php VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '8.2';
