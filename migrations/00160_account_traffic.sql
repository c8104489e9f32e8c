-- +goose Up

-- The same figures of all sites of an association together, so that its first
-- page reads a row a day however many sites there are. What a removed site did
-- stays: it was the association's traffic.
CREATE TABLE IF NOT EXISTS account_traffic (
  account_id BIGINT UNSIGNED NOT NULL,
  day        DATE NOT NULL,
  hits       BIGINT UNSIGNED NOT NULL,
  pages      BIGINT UNSIGNED NOT NULL,
  visitors   BIGINT NOT NULL,
  robots     BIGINT UNSIGNED NOT NULL,
  bytes      BIGINT UNSIGNED NOT NULL,
  good       BIGINT UNSIGNED NOT NULL,
  moved      BIGINT UNSIGNED NOT NULL,
  refused    BIGINT UNSIGNED NOT NULL,
  failed     BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (account_id, day),
  KEY account_traffic_day (day)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- All of it or nothing, and nothing a second time.
INSERT IGNORE INTO account_traffic (account_id, day, hits, pages, visitors, robots, bytes, good, moved, refused, failed)
SELECT s.account_id, t.day, SUM(t.hits), SUM(t.pages), SUM(t.visitors), SUM(t.robots), SUM(t.bytes), SUM(t.good), SUM(t.moved), SUM(t.refused), SUM(t.failed)
FROM site_traffic t JOIN sites s ON s.id = t.site_id
GROUP BY s.account_id, t.day;
