-- +goose Up

-- What sites do by themselves. due_at is moved by whoever takes a run.
CREATE TABLE IF NOT EXISTS tasks (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  node_id    BIGINT UNSIGNED NOT NULL,
  account_id BIGINT UNSIGNED NOT NULL,
  site_id    BIGINT UNSIGNED NOT NULL,
  kind       VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  target     VARCHAR(1000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  schedule   VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  time_zone  VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  enabled    TINYINT(1) NOT NULL,
  due_at     DATETIME(6) NOT NULL,
  created_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY tasks_site (site_id, id),
  KEY tasks_due (node_id, due_at),
  CONSTRAINT tasks_site FOREIGN KEY (site_id) REFERENCES sites (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- The last runs of each task, written by the agent.
CREATE TABLE IF NOT EXISTS task_runs (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  task_id    BIGINT UNSIGNED NOT NULL,
  started_at DATETIME(6) NOT NULL,
  ended_at   DATETIME(6) NULL,
  outcome    VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  status     INT NOT NULL,
  output     TEXT NOT NULL,
  PRIMARY KEY (id),
  KEY task_runs_task (task_id, id),
  KEY task_runs_outcome (outcome),
  CONSTRAINT task_runs_task FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
