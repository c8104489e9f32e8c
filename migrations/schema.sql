CREATE TABLE `accounts` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(31) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `label` varchar(120) NOT NULL,
  `plan_id` bigint(20) unsigned NOT NULL,
  `suspended` tinyint(1) NOT NULL,
  `removing` tinyint(1) NOT NULL,
  `expires` datetime(6) DEFAULT NULL,
  `note` text NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `accounts_name` (`name`),
  KEY `accounts_label` (`label`),
  KEY `accounts_plan` (`plan_id`),
  CONSTRAINT `accounts_plan` FOREIGN KEY (`plan_id`) REFERENCES `plans` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `audit_entries` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `at` datetime(6) NOT NULL,
  `actor` varchar(254) NOT NULL,
  `source` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `action` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `target` varchar(254) NOT NULL,
  `before` mediumtext NOT NULL,
  `after` mediumtext NOT NULL,
  PRIMARY KEY (`id`),
  KEY `audit_entries_account` (`account_id`,`id`),
  KEY `audit_entries_at` (`at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `ftp_logins` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `node_id` bigint(20) unsigned NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `site_id` bigint(20) unsigned NOT NULL,
  `login` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `password_hash` varchar(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `path` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `read_only` tinyint(1) NOT NULL,
  `disabled` tinyint(1) NOT NULL,
  `generation` bigint(20) unsigned NOT NULL,
  `observed` bigint(20) unsigned NOT NULL,
  `state` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `problem` text NOT NULL,
  `attempts` int(10) unsigned NOT NULL,
  `due_at` datetime(6) NOT NULL,
  `removing` tinyint(1) NOT NULL,
  `changed_at` datetime(6) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `last_used_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `ftp_logins_login` (`login`),
  KEY `ftp_logins_node_id_due_at` (`node_id`,`due_at`),
  KEY `ftp_logins_account` (`account_id`,`login`),
  KEY `ftp_logins_site` (`site_id`),
  CONSTRAINT `ftp_logins_account` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`),
  CONSTRAINT `ftp_logins_node` FOREIGN KEY (`node_id`) REFERENCES `nodes` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `hosted_databases` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `node_id` bigint(20) unsigned NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `name` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `password_hash` char(41) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `generation` bigint(20) unsigned NOT NULL,
  `observed` bigint(20) unsigned NOT NULL,
  `state` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `problem` text NOT NULL,
  `attempts` int(10) unsigned NOT NULL,
  `due_at` datetime(6) NOT NULL,
  `removing` tinyint(1) NOT NULL,
  `changed_at` datetime(6) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `hosted_databases_name` (`name`),
  KEY `hosted_databases_node_id_due_at` (`node_id`,`due_at`),
  KEY `hosted_databases_account_state` (`account_id`,`state`,`removing`),
  KEY `hosted_databases_state` (`state`),
  CONSTRAINT `hosted_databases_account` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`),
  CONSTRAINT `hosted_databases_node` FOREIGN KEY (`node_id`) REFERENCES `nodes` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `invitations` (
  `token_hash` binary(32) NOT NULL,
  `person_id` bigint(20) unsigned NOT NULL,
  `reset` tinyint(1) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `expires_at` datetime(6) NOT NULL,
  PRIMARY KEY (`token_hash`),
  KEY `invitations_person` (`person_id`),
  KEY `invitations_expires` (`expires_at`),
  CONSTRAINT `invitations_person` FOREIGN KEY (`person_id`) REFERENCES `persons` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `memberships` (
  `person_id` bigint(20) unsigned NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `role` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `until` datetime(6) DEFAULT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`person_id`,`account_id`),
  KEY `memberships_account` (`account_id`),
  CONSTRAINT `memberships_account` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`),
  CONSTRAINT `memberships_person` FOREIGN KEY (`person_id`) REFERENCES `persons` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `nodes` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(63) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `next_uid` int(10) unsigned NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `nodes_name` (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `persons` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `email` varchar(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `name` varchar(120) NOT NULL,
  `password_hash` varchar(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `role` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `language` varchar(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `theme` varchar(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `disabled` tinyint(1) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `last_seen_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `persons_email` (`email`),
  KEY `persons_role` (`role`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `plans` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(31) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `label` varchar(120) NOT NULL,
  `sites` int(11) NOT NULL,
  `databases` int(11) NOT NULL,
  `ftp_logins` int(11) NOT NULL,
  `disk_mb` int(11) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `plans_name` (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `sessions` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `token_hash` binary(32) NOT NULL,
  `person_id` bigint(20) unsigned NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `csrf` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `flash` text NOT NULL,
  `source` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `seen_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `sessions_token` (`token_hash`),
  KEY `sessions_person` (`person_id`),
  KEY `sessions_seen` (`seen_at`),
  CONSTRAINT `sessions_person` FOREIGN KEY (`person_id`) REFERENCES `persons` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `sites` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `node_id` bigint(20) unsigned NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `host` varchar(253) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `document_root` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `php` varchar(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `uid` int(10) unsigned NOT NULL,
  `home_token` char(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `socket_token` char(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `suspended` tinyint(1) NOT NULL,
  `held` tinyint(1) NOT NULL,
  `generation` bigint(20) unsigned NOT NULL,
  `observed` bigint(20) unsigned NOT NULL,
  `state` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `problem` text NOT NULL,
  `attempts` int(10) unsigned NOT NULL,
  `due_at` datetime(6) NOT NULL,
  `removing` tinyint(1) NOT NULL,
  `changed_at` datetime(6) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `sites_uid` (`node_id`,`uid`),
  UNIQUE KEY `sites_home` (`home_token`),
  UNIQUE KEY `sites_socket` (`socket_token`),
  KEY `sites_node_id_due_at` (`node_id`,`due_at`),
  KEY `sites_account_host` (`account_id`,`host`),
  KEY `sites_account_state` (`account_id`,`state`,`removing`),
  KEY `sites_host` (`host`),
  KEY `sites_state` (`state`),
  CONSTRAINT `sites_account` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`),
  CONSTRAINT `sites_node` FOREIGN KEY (`node_id`) REFERENCES `nodes` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `site_names` (
  `name` varchar(253) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `reversed` varchar(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `displayed` varchar(253) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `site_id` bigint(20) unsigned NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `position` int(10) unsigned NOT NULL,
  `dropped` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`name`),
  KEY `site_names_reversed` (`reversed`),
  KEY `site_names_site` (`site_id`,`position`),
  KEY `site_names_dropped` (`dropped`),
  CONSTRAINT `site_names_site` FOREIGN KEY (`site_id`) REFERENCES `sites` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `throttles` (
  `subject` binary(32) NOT NULL,
  `failures` int(10) unsigned NOT NULL,
  `last_at` datetime(6) NOT NULL,
  `until` datetime(6) NOT NULL,
  PRIMARY KEY (`subject`),
  KEY `throttles_last` (`last_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `turns` (
  `name` varchar(63) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `taken` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

