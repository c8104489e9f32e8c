-- +goose Up

-- What the visitors of each site did, by day. No foreign keys: what was counted
-- must not fail for one site that is on its way out.
CREATE TABLE IF NOT EXISTS site_traffic (
  site_id  BIGINT UNSIGNED NOT NULL,
  day      DATE NOT NULL,
  hits     BIGINT UNSIGNED NOT NULL,
  pages    BIGINT UNSIGNED NOT NULL,
  visitors BIGINT UNSIGNED NOT NULL,
  robots   BIGINT UNSIGNED NOT NULL,
  bytes    BIGINT UNSIGNED NOT NULL,
  good     BIGINT UNSIGNED NOT NULL,
  moved    BIGINT UNSIGNED NOT NULL,
  refused  BIGINT UNSIGNED NOT NULL,
  failed   BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (site_id, day),
  KEY site_traffic_day (day)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- The names behind the figures, which take more room and go sooner: pages,
-- referrers and the like, the exact status codes, and the sketch by which
-- visitors are counted, all as JSON.
CREATE TABLE IF NOT EXISTS site_traffic_names (
  site_id BIGINT UNSIGNED NOT NULL,
  day     DATE NOT NULL,
  names   MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (site_id, day),
  KEY site_traffic_names_day (day)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Batches of counts that are in the tables above, so that none is added twice.
CREATE TABLE IF NOT EXISTS traffic_batches (
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  at   DATETIME(6) NOT NULL,
  PRIMARY KEY (name),
  KEY traffic_batches_at (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
