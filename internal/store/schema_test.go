package store_test

import (
	"cmp"
	"errors"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"cancale/internal/store"
	"cancale/internal/testenv"
	"cancale/migrations"

	"github.com/go-sql-driver/mysql"
	gocmp "github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

var update = flag.Bool("update", false, "write migrations/schema.sql")

var counter = regexp.MustCompile(` AUTO_INCREMENT=\d+`)

// dump is the schema as MariaDB tells it, in the order of the tables' names.
func dump(t *testing.T, db *gorm.DB) string {
	t.Helper()
	var tables []string
	ok(t, db.Raw("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name <> 'goose_db_version' ORDER BY table_name").Scan(&tables).Error)
	var b strings.Builder
	for _, table := range tables {
		var name, create string
		ok(t, db.Raw("SHOW CREATE TABLE `"+table+"`").Row().Scan(&name, &create))
		b.WriteString(counter.ReplaceAllString(create, "") + ";\n\n")
	}
	return b.String()
}

func rootStore(t *testing.T, inst testenv.Installation) *store.Store {
	t.Helper()
	st := must(store.Open(t.Context(), inst.Root))(t)
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func TestSchema(t *testing.T) {
	inst := testenv.Install(t)
	db := rootStore(t, inst).DB()
	got := dump(t, db)
	if *update {
		ok(t, os.WriteFile("../../migrations/schema.sql", []byte(got), 0o644))
	} else if diff := gocmp.Diff(migrations.Schema, got); diff != "" {
		t.Errorf("the steps do not end in schema.sql (go test ./internal/store -run TestSchema -update):\n%s", diff)
	}
	t.Run("each step may run again", func(t *testing.T) {
		before := rowCounts(t, db)
		ok(t, db.Exec("DELETE FROM goose_db_version WHERE version_id > 0").Error)
		ok(t, store.Migrate(t.Context(), inst.Root))
		if diff := gocmp.Diff(got, dump(t, db)); diff != "" {
			t.Error(diff)
		}
		if diff := gocmp.Diff(before, rowCounts(t, db)); diff != "" {
			t.Errorf("rows were added:\n%s", diff)
		}
	})
	t.Run("nothing to do is no error", func(t *testing.T) {
		ok(t, store.Migrate(t.Context(), inst.Root))
	})
	t.Run("what is placed has a node and an index for the agent", func(t *testing.T) {
		for _, table := range []string{"sites", "hosted_databases", "ftp_logins"} {
			if !strings.Contains(got, "KEY `"+table+"_node_id_due_at` (`node_id`,`due_at`)") {
				t.Errorf("%s has none", table)
			}
		}
	})
}

func rowCounts(t *testing.T, db *gorm.DB) map[string]int {
	counts := map[string]int{}
	for table := range store.Rows {
		var n int
		ok(t, db.Raw("SELECT COUNT(*) FROM "+table).Scan(&n).Error)
		counts[table] = n
	}
	return counts
}

func TestStructsAreTheTables(t *testing.T) {
	db := rootStore(t, testenv.Install(t)).DB()
	var tables []string
	// Of these the columns are named in every statement.
	named := []string{"goose_db_version", "turns", "site_traffic", "account_traffic", "traffic_batches", "samples", "known_devices"}
	ok(t, db.Raw("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name NOT IN ?", named).Scan(&tables).Error)
	for _, table := range tables {
		row, known := store.Rows[table]
		if !known {
			t.Errorf("no struct for %s", table)
			continue
		}
		parsed := must(schema.Parse(row, &sync.Map{}, db.NamingStrategy))(t)
		var fields []string
		for _, f := range parsed.Fields {
			if f.DBName != "" && f.Creatable {
				fields = append(fields, f.DBName)
			}
		}
		var columns []string
		ok(t, db.Raw("SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?", table).Scan(&columns).Error)
		for _, list := range [][]string{fields, columns} {
			slices.SortFunc(list, cmp.Compare)
		}
		if diff := gocmp.Diff(columns, fields); diff != "" {
			t.Errorf("%s: columns and fields differ:\n%s", table, diff)
		}
	}
}

func TestBootstrap(t *testing.T) {
	inst := testenv.Install(t)
	cfg := store.BootstrapConfig{
		Socket: inst.Server.Socket, Database: inst.App.Database,
		AppUser: inst.App.User, AppPassword: "a new one", AgentUser: inst.Agent.User, AgentPassword: "another",
		FTPUser: inst.FTP.User, FTPPassword: "a third",
	}
	st := inst.Open(t)
	anAccount(t, st, "kept")
	ok(t, store.Bootstrap(t.Context(), cfg))
	t.Run("the passwords are the new ones and the rows are kept", func(t *testing.T) {
		if _, err := store.Open(t.Context(), inst.App); err == nil {
			t.Error("the old password still opens")
		}
		inst.App.Password, inst.Agent.Password, inst.FTP.Password = "a new one", "another", "a third"
		must(inst.Open(t).AccountByName(t.Context(), everything, "kept"))(t)
	})
	t.Run("a name that would need quoting is refused", func(t *testing.T) {
		bad := cfg
		bad.AppUser = "x'@'%"
		if err := store.Bootstrap(t.Context(), bad); err == nil {
			t.Error("taken")
		}
	})
	t.Run("the application may not change the schema, nor look elsewhere", func(t *testing.T) {
		db := inst.Open(t).DB()
		for _, statement := range []string{
			"DROP TABLE sites", "ALTER TABLE sites ADD x INT", "CREATE TABLE x (i INT)", "SELECT * FROM mysql.global_priv",
			"CREATE DATABASE x", "CREATE USER x", "SELECT 1 INTO OUTFILE '/tmp/x'",
			"UPDATE audit_entries SET actor = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries", "REPLACE INTO audit_entries (id, actor) VALUES (1, 'x')",
			"INSERT INTO audit_entries (id, actor) VALUES (1, 'x') ON DUPLICATE KEY UPDATE actor = 'x'", "LOCK TABLES audit_entries WRITE",
			"UPDATE goose_db_version SET version_id = 0", "DELETE FROM goose_db_version", "GRANT SELECT ON sites TO 'root'@'localhost'", "SET GLOBAL read_only = 1",
			"CREATE TRIGGER x BEFORE INSERT ON audit_entries FOR EACH ROW SET NEW.actor = 'x'", "SHOW GRANTS FOR 'root'@'localhost'", "FLUSH PRIVILEGES", "SELECT LOAD_FILE('/etc/passwd') FROM mysql.user",
		} {
			if err := db.Exec(statement).Error; err == nil {
				t.Errorf("%s went through", statement)
			}
		}
	})
	t.Run("the FTP daemon may note what it serves, and nothing else", func(t *testing.T) {
		st, db := inst.Open(t), inst.OpenFTP(t).DB()
		site := aSite(t, st, must(st.AccountByName(t.Context(), everything, "kept"))(t).Account, "ftp.example.net")
		ok(t, db.Exec("UPDATE ftp_logins SET last_used_at = NOW()").Error)
		ok(t, db.Exec("INSERT INTO disk_usage (site_id, node_id, account_id, files, bin, entries, drift, due_at) VALUES (?, 1, ?, 0, 0, 0, 0, NOW())", site.ID, site.AccountID).Error)
		for _, statement := range []string{
			"SELECT password_hash FROM persons", "SELECT * FROM persons", "SELECT * FROM sessions", "SELECT * FROM invitations", "SELECT * FROM authenticators", "SELECT * FROM recovery_codes", "SELECT * FROM passkeys",
			"SELECT * FROM mails", "SELECT * FROM audit_entries", "SELECT * FROM hosted_databases", "SELECT * FROM database_users", "SELECT * FROM database_passes",
			"SELECT note FROM accounts", "SELECT * FROM requests",
			"SELECT * FROM sites", "SELECT socket_token FROM sites", "SELECT behaviour FROM sites", "SELECT id FROM sites WHERE behaviour LIKE '%x%'", "SELECT id FROM sites ORDER BY socket_token", "SELECT * FROM site_names", "SELECT * FROM transfers", "SELECT * FROM tasks", "SELECT * FROM mysql.global_priv",
			"UPDATE ftp_logins SET password_hash = ''", "UPDATE ftp_logins SET path = ''", "UPDATE ftp_logins SET site_id = 0", "UPDATE ftp_logins SET rights = 'read_write'",
			"UPDATE ftp_logins SET disabled = 0", "INSERT INTO ftp_logins (login) VALUES ('x')", "DELETE FROM ftp_logins", "INSERT INTO ftp_keys (fingerprint) VALUES ('x')",
			"UPDATE persons SET role = 'administrator'", "INSERT INTO memberships (person_id, account_id) VALUES (1, 1)", "UPDATE memberships SET role = 'owner'",
			"UPDATE accounts SET suspended = 0", "UPDATE accounts SET plan_id = 1", "UPDATE plans SET disk_mb = -1", "UPDATE sites SET home_token = ''", "UPDATE sites SET account_id = 1",
			"UPDATE settings SET value = ''", "DELETE FROM settings", "UPDATE transfers SET bytes = 0", "DELETE FROM transfers", "DELETE FROM disk_usage", "UPDATE account_space SET stopped = 0",
			"UPDATE audit_entries SET actor = 'x'", "DELETE FROM audit_entries", "UPDATE nodes SET next_uid = 0", "DROP TABLE sites", "SELECT 1 INTO OUTFILE '/tmp/x'",
		} {
			err := db.Exec(statement).Error
			if refused, is := errors.AsType[*mysql.MySQLError](err); !is || refused.Number != 1142 && refused.Number != 1143 && refused.Number != 1045 && refused.Number != 1227 {
				t.Errorf("%s: %v, not refused for want of a right", statement, err)
			}
		}
	})
	t.Run("the agent may write how far it is, and nothing else", func(t *testing.T) {
		st := inst.Open(t)
		site := aSite(t, st, must(st.AccountByName(t.Context(), everything, "kept"))(t).Account, "agent.example.net")
		db := inst.OpenNode(t).DB()
		ok(t, db.Exec("UPDATE sites SET observed = 0, state = 'pending', problem = '{}', attempts = 1, due_at = NOW(), changed_at = NOW() WHERE id = ?", site.ID).Error)
		for _, column := range []string{
			"id", "node_id", "account_id", "host", "document_root", "php", "uid", "home_token", "socket_token", "suspended", "generation", "removing", "created_at",
		} {
			if err := db.Exec("UPDATE sites SET " + column + " = " + column).Error; err == nil {
				t.Errorf("sites.%s may be written", column)
			}
		}
		for _, statement := range []string{
			"UPDATE hosted_databases SET password_hash = ''", "UPDATE hosted_databases SET generation = 9", "UPDATE site_names SET dropped = 1",
			"INSERT INTO turns VALUES ('x', 0)", "DELETE FROM sites", "DELETE FROM hosted_databases", "UPDATE nodes SET next_uid = 0",
			"SELECT * FROM persons", "SELECT * FROM sessions", "SELECT * FROM invitations", "SELECT * FROM ftp_logins", "SELECT note FROM accounts",
			"SELECT * FROM ftp_keys", "SELECT * FROM memberships", "SELECT * FROM authenticators", "SELECT * FROM passkeys", "SELECT * FROM recovery_codes", "SELECT sealed FROM mails", "SELECT * FROM throttles", "SELECT * FROM transfers",
			"UPDATE accounts SET suspended = 1", "UPDATE plans SET disk_mb = -1", "UPDATE settings SET value = ''", "DELETE FROM tasks", "UPDATE tasks SET target = '/x'", "UPDATE database_users SET password_hash = ''",
			"DELETE FROM audit_entries", "UPDATE audit_entries SET actor = 'x'", "DELETE FROM site_traffic", "UPDATE database_works SET database_id = 1", "UPDATE database_passes SET expires_at = NOW()",
			"SELECT * FROM audit_entries", "INSERT INTO audit_entries (actor) VALUES ('x')", "DROP TABLE sites", "SELECT * FROM mysql.global_priv",
		} {
			if err := db.Exec(statement).Error; err == nil {
				t.Errorf("%s went through", statement)
			}
		}
	})
}

func TestASocketMayHaveALongPath(t *testing.T) {
	inst := testenv.Install(t)
	long := t.TempDir() + "/" + strings.Repeat("a", 120)
	ok(t, os.Symlink(inst.Server.Dir, long))
	inst.App.Socket = long + "/mysqld.sock"
	ok(t, inst.Open(t).Ping(t.Context()))
}
