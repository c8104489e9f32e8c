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
  `removed_at` datetime(6) DEFAULT NULL,
  `removed_by` varchar(254) NOT NULL DEFAULT '',
  `removed_with` varchar(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  `kept_until` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `accounts_name` (`name`),
  KEY `accounts_label` (`label`),
  KEY `accounts_plan` (`plan_id`),
  KEY `accounts_kept_until` (`kept_until`),
  KEY `accounts_expires` (`expires`),
  CONSTRAINT `accounts_plan` FOREIGN KEY (`plan_id`) REFERENCES `plans` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `account_notes` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `account_id` bigint(20) unsigned NOT NULL,
  `person_id` bigint(20) unsigned NOT NULL,
  `author` varchar(254) NOT NULL,
  `text` text NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `edited_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `account_notes_account` (`account_id`,`id`),
  CONSTRAINT `account_notes_account` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `account_space` (
  `account_id` bigint(20) unsigned NOT NULL,
  `stopped` tinyint(1) NOT NULL,
  `changed_at` datetime(6) NOT NULL,
  PRIMARY KEY (`account_id`),
  CONSTRAINT `account_space_account` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `account_traffic` (
  `account_id` bigint(20) unsigned NOT NULL,
  `day` date NOT NULL,
  `hits` bigint(20) unsigned NOT NULL,
  `pages` bigint(20) unsigned NOT NULL,
  `visitors` bigint(20) NOT NULL,
  `robots` bigint(20) unsigned NOT NULL,
  `bytes` bigint(20) unsigned NOT NULL,
  `good` bigint(20) unsigned NOT NULL,
  `moved` bigint(20) unsigned NOT NULL,
  `refused` bigint(20) unsigned NOT NULL,
  `failed` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`account_id`,`day`),
  KEY `account_traffic_day` (`day`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `announcements` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `title_fr` varchar(150) NOT NULL,
  `text_fr` text NOT NULL,
  `title_en` varchar(150) NOT NULL,
  `text_en` text NOT NULL,
  `everyone` tinyint(1) NOT NULL,
  `mailed` tinyint(1) NOT NULL,
  `until` datetime(6) DEFAULT NULL,
  `person_id` bigint(20) unsigned NOT NULL,
  `author` varchar(254) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `edited_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `announcements_until` (`until`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `announcement_accounts` (
  `announcement_id` bigint(20) unsigned NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`announcement_id`,`account_id`),
  KEY `announcement_accounts_account` (`account_id`),
  CONSTRAINT `announcement_accounts_account` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`) ON DELETE CASCADE,
  CONSTRAINT `announcement_accounts_announcement` FOREIGN KEY (`announcement_id`) REFERENCES `announcements` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `announcement_persons` (
  `announcement_id` bigint(20) unsigned NOT NULL,
  `person_id` bigint(20) unsigned NOT NULL,
  `mailed` tinyint(1) NOT NULL,
  `dismissed` tinyint(1) NOT NULL,
  PRIMARY KEY (`announcement_id`,`person_id`),
  KEY `announcement_persons_person` (`person_id`),
  CONSTRAINT `announcement_persons_announcement` FOREIGN KEY (`announcement_id`) REFERENCES `announcements` (`id`) ON DELETE CASCADE,
  CONSTRAINT `announcement_persons_person` FOREIGN KEY (`person_id`) REFERENCES `persons` (`id`) ON DELETE CASCADE
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
  `behalf` varchar(120) NOT NULL DEFAULT '',
  PRIMARY KEY (`id`),
  KEY `audit_entries_account` (`account_id`,`id`),
  KEY `audit_entries_at` (`at`),
  KEY `audit_entries_actor` (`account_id`,`actor`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `authenticators` (
  `person_id` bigint(20) unsigned NOT NULL,
  `sealed` blob NOT NULL,
  `confirmed` tinyint(1) NOT NULL,
  `last_step` bigint(20) unsigned NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`person_id`),
  CONSTRAINT `authenticators_person` FOREIGN KEY (`person_id`) REFERENCES `persons` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `bulk_accounts` (
  `bulk_id` bigint(20) unsigned NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `name` varchar(31) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `label` varchar(120) NOT NULL,
  `expires` datetime(6) DEFAULT NULL,
  `state` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `reason` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (`bulk_id`,`account_id`),
  KEY `bulk_accounts_state` (`bulk_id`,`state`,`account_id`),
  CONSTRAINT `bulk_accounts_bulk` FOREIGN KEY (`bulk_id`) REFERENCES `bulk_acts` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `bulk_acts` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `act` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `plan` varchar(31) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `announcement_id` bigint(20) unsigned NOT NULL,
  `person_id` bigint(20) unsigned NOT NULL,
  `actor` varchar(254) NOT NULL,
  `source` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `state` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `ended_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `bulk_acts_state` (`state`,`id`),
  KEY `bulk_acts_created` (`created_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `database_passes` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `node_id` bigint(20) unsigned NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `database_id` bigint(20) unsigned NOT NULL,
  `password_hash` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `expires_at` datetime(6) NOT NULL,
  `session_id` bigint(20) unsigned NOT NULL DEFAULT 0,
  `read_only` tinyint(1) NOT NULL DEFAULT 0,
  `token_hash` binary(32) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `database_passes_token` (`token_hash`),
  KEY `database_passes_database` (`database_id`),
  KEY `database_passes_expiry` (`node_id`,`expires_at`),
  KEY `database_passes_session` (`session_id`),
  CONSTRAINT `database_passes_database` FOREIGN KEY (`database_id`) REFERENCES `hosted_databases` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `database_usage` (
  `database_id` bigint(20) unsigned NOT NULL,
  `bytes` bigint(20) NOT NULL,
  `stopped` tinyint(1) NOT NULL,
  `measured_at` datetime(6) NOT NULL,
  PRIMARY KEY (`database_id`),
  CONSTRAINT `database_usage_database` FOREIGN KEY (`database_id`) REFERENCES `hosted_databases` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `database_users` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `account_id` bigint(20) unsigned NOT NULL,
  `database_id` bigint(20) unsigned NOT NULL,
  `name` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `read_only` tinyint(1) NOT NULL,
  `password_hash` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `database_users_name` (`name`),
  KEY `database_users_database` (`database_id`,`name`),
  CONSTRAINT `database_users_database` FOREIGN KEY (`database_id`) REFERENCES `hosted_databases` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `database_works` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `node_id` bigint(20) unsigned NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `database_id` bigint(20) unsigned NOT NULL,
  `kind` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `state` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `empty_first` tinyint(1) NOT NULL,
  `file` varchar(255) NOT NULL,
  `size` bigint(20) NOT NULL,
  `done` bigint(20) NOT NULL,
  `actor` varchar(320) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `seen_at` datetime(6) NOT NULL,
  `ended_at` datetime(6) DEFAULT NULL,
  `result` text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `report` mediumtext NOT NULL,
  PRIMARY KEY (`id`),
  KEY `database_works_database` (`database_id`,`id`),
  KEY `database_works_state` (`node_id`,`state`),
  CONSTRAINT `database_works_database` FOREIGN KEY (`database_id`) REFERENCES `hosted_databases` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `disk_usage` (
  `site_id` bigint(20) unsigned NOT NULL,
  `node_id` bigint(20) unsigned NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `files` bigint(20) NOT NULL,
  `bin` bigint(20) NOT NULL,
  `entries` bigint(20) NOT NULL,
  `drift` bigint(20) NOT NULL,
  `measured_at` datetime(6) DEFAULT NULL,
  `due_at` datetime(6) NOT NULL,
  PRIMARY KEY (`site_id`),
  KEY `disk_usage_node_id_due_at` (`node_id`,`due_at`),
  KEY `disk_usage_account_sums` (`account_id`,`files`,`bin`,`drift`),
  CONSTRAINT `disk_usage_site` FOREIGN KEY (`site_id`) REFERENCES `sites` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `forgotten` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `email` varchar(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `source` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `ftp_keys` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `ftp_login_id` bigint(20) unsigned NOT NULL,
  `label` varchar(120) NOT NULL,
  `kind` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `fingerprint` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `public_key` text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `last_used_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `ftp_keys_login_fingerprint` (`ftp_login_id`,`fingerprint`),
  CONSTRAINT `ftp_keys_login` FOREIGN KEY (`ftp_login_id`) REFERENCES `ftp_logins` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `ftp_logins` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `node_id` bigint(20) unsigned NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `site_id` bigint(20) unsigned NOT NULL,
  `login` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `password_hash` varchar(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `path` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `rights` varchar(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `require_tls` tinyint(1) NOT NULL DEFAULT 0,
  `speed_kb` int(11) NOT NULL DEFAULT 0,
  `sessions` int(11) NOT NULL DEFAULT 0,
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
  `removed_at` datetime(6) DEFAULT NULL,
  `removed_by` varchar(254) NOT NULL DEFAULT '',
  `removed_with` varchar(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  `kept_until` datetime(6) DEFAULT NULL,
  `gone` bigint(20) unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE KEY `ftp_logins_login_gone` (`login`,`gone`),
  KEY `ftp_logins_node_id_due_at` (`node_id`,`due_at`),
  KEY `ftp_logins_site` (`site_id`),
  KEY `ftp_logins_kept_until` (`kept_until`),
  KEY `ftp_logins_account_removing` (`account_id`,`removing`,`login`),
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
  `removed_at` datetime(6) DEFAULT NULL,
  `removed_by` varchar(254) NOT NULL DEFAULT '',
  `removed_with` varchar(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  `kept_until` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `hosted_databases_name` (`name`),
  KEY `hosted_databases_node_id_due_at` (`node_id`,`due_at`),
  KEY `hosted_databases_account_state` (`account_id`,`state`,`removing`),
  KEY `hosted_databases_state` (`state`),
  KEY `hosted_databases_kept_until` (`kept_until`),
  KEY `hosted_databases_account_name` (`account_id`,`name`),
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

CREATE TABLE `known_devices` (
  `person_id` bigint(20) unsigned NOT NULL,
  `token_hash` binary(32) NOT NULL,
  `seen_at` datetime(6) NOT NULL,
  PRIMARY KEY (`person_id`,`token_hash`),
  CONSTRAINT `known_devices_person` FOREIGN KEY (`person_id`) REFERENCES `persons` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `mails` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `kind` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `email` varchar(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `name` varchar(120) NOT NULL,
  `language` varchar(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `sealed` mediumblob NOT NULL,
  `state` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `tries` int(10) unsigned NOT NULL,
  `due_at` datetime(6) NOT NULL,
  `void_at` datetime(6) NOT NULL,
  `problem` text NOT NULL,
  `detail` text NOT NULL,
  `subject` varchar(500) NOT NULL,
  `text` mediumtext NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `sent_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `mails_due` (`state`,`due_at`),
  KEY `mails_void` (`state`,`void_at`),
  KEY `mails_created` (`created_at`),
  KEY `mails_state` (`state`,`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `mail_texts` (
  `kind` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `language` varchar(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `subject` varchar(500) NOT NULL,
  `body` mediumtext NOT NULL,
  PRIMARY KEY (`kind`,`language`)
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
  `php` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '8.2',
  PRIMARY KEY (`id`),
  UNIQUE KEY `nodes_name` (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `notices` (
  `account_id` bigint(20) unsigned NOT NULL,
  `what` varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `level` int(11) NOT NULL,
  `mark` varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `changed_at` datetime(6) NOT NULL,
  PRIMARY KEY (`account_id`,`what`),
  KEY `notices_level` (`level`,`changed_at`),
  CONSTRAINT `notices_account` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `passkeys` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `person_id` bigint(20) unsigned NOT NULL,
  `credential_id` varbinary(1023) NOT NULL,
  `public_key` varbinary(2048) NOT NULL,
  `sign_count` int(10) unsigned NOT NULL,
  `flags` tinyint(3) unsigned NOT NULL,
  `transports` varchar(120) NOT NULL,
  `name` varchar(120) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `last_used_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `passkeys_credential` (`credential_id`),
  KEY `passkeys_person` (`person_id`),
  CONSTRAINT `passkeys_person` FOREIGN KEY (`person_id`) REFERENCES `persons` (`id`) ON DELETE CASCADE
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
  `database_mb` int(11) NOT NULL DEFAULT -1,
  PRIMARY KEY (`id`),
  UNIQUE KEY `plans_name` (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `recovery_codes` (
  `code_hash` binary(32) NOT NULL,
  `person_id` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`code_hash`),
  KEY `recovery_codes_person` (`person_id`),
  CONSTRAINT `recovery_codes_person` FOREIGN KEY (`person_id`) REFERENCES `persons` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `requests` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `account_id` bigint(20) unsigned NOT NULL,
  `subject` varchar(500) NOT NULL,
  `about` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `state` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `changed_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `requests_account` (`account_id`,`changed_at`),
  KEY `requests_state` (`state`,`changed_at`),
  KEY `requests_changed` (`changed_at`),
  CONSTRAINT `requests_account` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `request_messages` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `request_id` bigint(20) unsigned NOT NULL,
  `person_id` bigint(20) unsigned NOT NULL,
  `author` varchar(254) NOT NULL,
  `team` tinyint(1) NOT NULL,
  `body` mediumtext NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `request_messages_request` (`request_id`,`id`),
  CONSTRAINT `request_messages_request` FOREIGN KEY (`request_id`) REFERENCES `requests` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `samples` (
  `node_id` bigint(20) unsigned NOT NULL,
  `grain` varchar(6) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `at` datetime(6) NOT NULL,
  `numbers` text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (`node_id`,`grain`,`at`)
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
  `agent` varchar(300) NOT NULL DEFAULT '',
  `behalf_id` bigint(20) unsigned NOT NULL DEFAULT 0,
  `behalf_until` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `sessions_token` (`token_hash`),
  KEY `sessions_person` (`person_id`),
  KEY `sessions_seen` (`seen_at`),
  CONSTRAINT `sessions_person` FOREIGN KEY (`person_id`) REFERENCES `persons` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `settings` (
  `name` varchar(63) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `value` text NOT NULL,
  `changed_at` datetime(6) NOT NULL,
  PRIMARY KEY (`name`)
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
  `behaviour` mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '{}',
  `generation` bigint(20) unsigned NOT NULL,
  `observed` bigint(20) unsigned NOT NULL,
  `state` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `problem` text NOT NULL,
  `attempts` int(10) unsigned NOT NULL,
  `due_at` datetime(6) NOT NULL,
  `removing` tinyint(1) NOT NULL,
  `changed_at` datetime(6) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  `removed_at` datetime(6) DEFAULT NULL,
  `removed_by` varchar(254) NOT NULL DEFAULT '',
  `removed_with` varchar(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  `kept_until` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `sites_uid` (`node_id`,`uid`),
  UNIQUE KEY `sites_home` (`home_token`),
  UNIQUE KEY `sites_socket` (`socket_token`),
  KEY `sites_node_id_due_at` (`node_id`,`due_at`),
  KEY `sites_account_host` (`account_id`,`host`),
  KEY `sites_account_state` (`account_id`,`state`,`removing`),
  KEY `sites_host` (`host`),
  KEY `sites_state` (`state`),
  KEY `sites_kept_until` (`kept_until`),
  KEY `sites_account_kept` (`account_id`,`kept_until`),
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

CREATE TABLE `site_traffic` (
  `site_id` bigint(20) unsigned NOT NULL,
  `day` date NOT NULL,
  `hits` bigint(20) unsigned NOT NULL,
  `pages` bigint(20) unsigned NOT NULL,
  `visitors` bigint(20) unsigned NOT NULL,
  `robots` bigint(20) unsigned NOT NULL,
  `bytes` bigint(20) unsigned NOT NULL,
  `good` bigint(20) unsigned NOT NULL,
  `moved` bigint(20) unsigned NOT NULL,
  `refused` bigint(20) unsigned NOT NULL,
  `failed` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`site_id`,`day`),
  KEY `site_traffic_day` (`day`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `site_traffic_names` (
  `site_id` bigint(20) unsigned NOT NULL,
  `day` date NOT NULL,
  `names` mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (`site_id`,`day`),
  KEY `site_traffic_names_day` (`day`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `tasks` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `node_id` bigint(20) unsigned NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `site_id` bigint(20) unsigned NOT NULL,
  `kind` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `target` varchar(1000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `schedule` varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `time_zone` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `due_at` datetime(6) NOT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `tasks_site` (`site_id`,`id`),
  KEY `tasks_due` (`node_id`,`due_at`),
  KEY `tasks_account` (`account_id`),
  CONSTRAINT `tasks_site` FOREIGN KEY (`site_id`) REFERENCES `sites` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `task_runs` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `task_id` bigint(20) unsigned NOT NULL,
  `started_at` datetime(6) NOT NULL,
  `ended_at` datetime(6) DEFAULT NULL,
  `outcome` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `status` int(11) NOT NULL,
  `output` text NOT NULL,
  PRIMARY KEY (`id`),
  KEY `task_runs_task` (`task_id`,`id`),
  KEY `task_runs_outcome` (`outcome`),
  CONSTRAINT `task_runs_task` FOREIGN KEY (`task_id`) REFERENCES `tasks` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `throttles` (
  `subject` binary(32) NOT NULL,
  `failures` int(10) unsigned NOT NULL,
  `last_at` datetime(6) NOT NULL,
  `until` datetime(6) NOT NULL,
  `kind` varchar(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  `label` varchar(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  `wrong` int(10) unsigned NOT NULL DEFAULT 0,
  `banned` tinyint(1) NOT NULL DEFAULT 0,
  PRIMARY KEY (`subject`),
  KEY `throttles_last` (`last_at`),
  KEY `throttles_until` (`until`),
  KEY `throttles_banned` (`banned`,`until`,`last_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `traffic_batches` (
  `name` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `at` datetime(6) NOT NULL,
  PRIMARY KEY (`name`),
  KEY `traffic_batches_at` (`at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `transfers` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `at` datetime(6) NOT NULL,
  `account_id` bigint(20) unsigned NOT NULL,
  `who` varchar(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `protocol` varchar(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `source` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `action` varchar(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `path` varchar(1024) NOT NULL,
  `target` varchar(1024) NOT NULL,
  `bytes` bigint(20) unsigned NOT NULL,
  `took_ms` bigint(20) unsigned NOT NULL,
  `result` varchar(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (`id`),
  KEY `transfers_account` (`account_id`,`at`),
  KEY `transfers_who` (`account_id`,`who`,`at`),
  KEY `transfers_at` (`at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `turns` (
  `name` varchar(63) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `taken` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

