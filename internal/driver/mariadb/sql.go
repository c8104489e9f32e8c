package mariadb

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cancale/internal/hosting"
)

// Limits of every hosted user.
const (
	maxUserConnections = 15
	maxStatementTime   = 20 // seconds
)

// localhost is the only place that hosted users sign in from: the unix socket.
const localhost = "localhost"

// A privilege as GRANT names it, its column in mysql.db, and whether hosted
// users have it.
var privileges = []struct {
	name   string
	column string
	wanted bool
}{
	{"SELECT", "Select_priv", true},
	{"INSERT", "Insert_priv", true},
	{"UPDATE", "Update_priv", true},
	{"DELETE", "Delete_priv", true},
	{"CREATE", "Create_priv", true},
	{"DROP", "Drop_priv", true},
	{"GRANT OPTION", "Grant_priv", false},
	{"REFERENCES", "References_priv", true},
	{"INDEX", "Index_priv", true},
	{"ALTER", "Alter_priv", true},
	{"CREATE TEMPORARY TABLES", "Create_tmp_table_priv", true},
	{"LOCK TABLES", "Lock_tables_priv", true},
	{"CREATE VIEW", "Create_view_priv", true},
	{"SHOW VIEW", "Show_view_priv", true},
	{"CREATE ROUTINE", "Create_routine_priv", true},
	{"ALTER ROUTINE", "Alter_routine_priv", true},
	{"EXECUTE", "Execute_priv", true},
	{"EVENT", "Event_priv", false},
	{"TRIGGER", "Trigger_priv", true},
	{"DELETE HISTORY", "Delete_history_priv", false},
}

// grantColumns are the columns of privileges, in their order.
const grantColumns = `Select_priv, Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv, Grant_priv, References_priv, Index_priv, Alter_priv, ` +
	`Create_tmp_table_priv, Lock_tables_priv, Create_view_priv, Show_view_priv, Create_routine_priv, Alter_routine_priv, Execute_priv, Event_priv, Trigger_priv, Delete_history_priv`

// wantedPrivileges is the list for GRANT, and what grantColumns then hold.
func wantedPrivileges() (list, columns string) {
	var names []string
	for _, p := range privileges {
		if p.wanted {
			names, columns = append(names, p.name), columns+"Y"
		} else {
			columns += "N"
		}
	}
	return strings.Join(names, ", "), columns
}

// wanted is a hosted database as the server should hold it, with every value
// checked again.
type wanted struct {
	name   string
	hash   string
	locked bool
}

var (
	// hostedName is ACCOUNT_suffix. An underscore is thus never the last
	// character of an account's part nor the first of all.
	hostedName   = regexp.MustCompile(`^[a-z][a-z0-9-]{1,30}_[a-z0-9][a-z0-9_]*$`)
	passwordHash = regexp.MustCompile(`^\*[0-9A-F]{40}$`)
	// ownNames are the server's, and those that begin like ours.
	ownNames = regexp.MustCompile(`^(information_schema|performance_schema|(mysql|mariadb|sys|root|cancale)_.*)$`)
)

// maxPattern is how long the pattern of a GRANT may be.
const maxPattern = 64

func wish(db hosting.Database) (wanted, error) {
	w := wanted{name: string(db.Name), hash: strings.ToUpper(db.PasswordHash), locked: db.AccountSuspended}
	if !hostedName.MatchString(w.name) || ownNames.MatchString(w.name) || len(pattern(w.name)) > maxPattern {
		return w, fmt.Errorf("mariadb: %q is no hosted database: refused", w.name)
	}
	if !db.Sync.Removing && !passwordHash.MatchString(w.hash) {
		return w, fmt.Errorf("mariadb: %s: the password's hash has not the form of one", w.name)
	}
	return w, nil
}

// pattern is a schema's name as GRANT takes it: there "_" and "%" stand for
// any character, unless escaped.
func pattern(name string) string {
	return strings.NewReplacer(`_`, `\_`, `%`, `\%`).Replace(name)
}

// identifier and text quote for SQL. Identifiers have passed hostedName; the
// host of a user that was found on the server may be anything.
func identifier(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func text(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`, "\x00", `\0`).Replace(s) + "'"
}

func account(user, host string) string { return text(user) + "@" + text(host) }

// observed is what the server holds about one name.
type observed struct {
	schema      bool
	users       map[string]string // by host: the JSON of mysql.global_priv
	grants      []grant           // rows of mysql.db
	others      int               // rights of any other sort; there should be none
	connections int               // open ones; only counted when there should be none
}

type grant struct{ host, pattern, privileges string }

// statement is SQL and the same without secrets, for logs and errors.
type statement struct{ sql, redacted string }

func plain(format string, args ...any) statement {
	s := fmt.Sprintf(format, args...)
	return statement{sql: s, redacted: s}
}

// repair is what leads from have to w: nothing when they agree.
func (w wanted) repair(have observed) []statement {
	me := account(w.name, localhost)
	var todo []statement
	if !have.schema {
		todo = append(todo, plain("CREATE DATABASE IF NOT EXISTS %s CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", identifier(w.name)))
	}
	for _, h := range slices.Sorted(maps.Keys(have.users)) {
		if h != localhost {
			todo = append(todo, plain("DROP USER IF EXISTS %s", account(w.name, h)))
		}
	}
	priv, exists := have.users[localhost]
	state := parseUser(priv)
	list, columns := wantedPrivileges()
	granted, extra := false, exists && (state.extra || have.others > 0)
	for _, g := range have.grants {
		switch {
		case g.host != localhost: // goes with its user
		case g == grant{host: localhost, pattern: pattern(w.name), privileges: columns}:
			granted = true
		case g.pattern == pattern(w.name) && !more(g.privileges, columns): // some are missing
		default:
			extra = true
		}
	}
	if extra {
		// Not every kind of right can be revoked by one statement; a new user
		// has none. Who is signed in stays so.
		todo = append(todo, plain("DROP USER IF EXISTS %s", me))
	}
	switch {
	case !exists || extra:
		todo = append(todo, w.user("CREATE USER IF NOT EXISTS "+me))
	case !state.agrees(w):
		todo = append(todo, w.user("ALTER USER "+me))
	}
	if !exists || !granted || extra {
		todo = append(todo, plain("GRANT %s ON %s.* TO %s", list, identifier(pattern(w.name)), me))
	}
	if w.locked && (have.connections > 0 || exists && !state.locked) {
		todo = append(todo, plain("KILL USER %s", me)) // those who are in would stay in
	}
	return todo
}

// remove is what leads from have to nothing.
func (w wanted) remove(have observed) []statement {
	var todo []statement
	for _, h := range slices.Sorted(maps.Keys(have.users)) {
		todo = append(todo, plain("DROP USER IF EXISTS %s", account(w.name, h)))
	}
	if have.schema {
		// A connection that is open would keep the schema locked.
		todo = append(todo,
			plain("KILL USER %s", account(w.name, localhost)),
			plain("DROP DATABASE IF EXISTS %s", identifier(w.name)))
	}
	return todo
}

// more reports whether have holds a privilege that want does not.
func more(have, want string) bool {
	for i := range have {
		if have[i] == 'Y' && (i >= len(want) || want[i] != 'Y') {
			return true
		}
	}
	return false
}

// user ends a CREATE USER or ALTER USER: every attribute is said, so that what
// somebody changed goes back.
func (w wanted) user(begin string) statement {
	lock := "UNLOCK"
	if w.locked {
		lock = "LOCK"
	}
	end := fmt.Sprintf(" REQUIRE NONE WITH MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS %d MAX_STATEMENT_TIME %d ACCOUNT %s PASSWORD EXPIRE DEFAULT",
		maxUserConnections, maxStatementTime, lock)
	return statement{
		sql:      begin + " IDENTIFIED BY PASSWORD " + text(w.hash) + end,
		redacted: begin + " IDENTIFIED BY PASSWORD …" + end,
	}
}

// userState is what we read of the JSON in mysql.global_priv; extra stands for
// what a hosted user never has: global privileges, a role, a second way to sign
// in, and whatever we do not know that is set to something.
type userState struct {
	plugin        string
	hash          string
	connections   int
	statementTime float64
	locked        bool
	differs       bool
	extra         bool
}

func parseUser(priv string) userState {
	var s userState
	var all map[string]json.RawMessage
	if json.Unmarshal([]byte(priv), &all) != nil {
		return userState{extra: true}
	}
	for key, raw := range all {
		var err error
		switch key {
		case "version_id":
		case "plugin":
			err = json.Unmarshal(raw, &s.plugin)
		case "authentication_string":
			err = json.Unmarshal(raw, &s.hash)
		case "max_user_connections":
			err = json.Unmarshal(raw, &s.connections)
		case "max_statement_time":
			err = json.Unmarshal(raw, &s.statementTime)
		case "account_locked":
			err = json.Unmarshal(raw, &s.locked)
		case "password_last_changed": // zero when the password was made to expire
			s.differs = s.differs || string(raw) == "0"
		case "password_lifetime": // -1 is the server's default
			s.differs = s.differs || string(raw) != "-1"
		case "max_questions", "max_updates", "max_connections", "ssl_type":
			s.differs = s.differs || string(raw) != "0"
		default: // access, default_role, auth_or, x509_issuer, …
			s.extra = s.extra || !slices.Contains([]string{"0", `""`, "false", "null"}, string(raw))
		}
		s.extra = s.extra || err != nil
	}
	return s
}

// agrees compares all but the privileges.
func (s userState) agrees(w wanted) bool {
	return s.plugin == "mysql_native_password" && s.hash == w.hash && s.connections == maxUserConnections &&
		s.statementTime == maxStatementTime && s.locked == w.locked && !s.differs
}
