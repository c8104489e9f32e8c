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

// shrinking are what the user of a full database keeps: to read, to remove and
// to run, nothing that adds to it.
var shrinking = []string{"SELECT", "DELETE", "DROP", "CREATE TEMPORARY TABLES", "LOCK TABLES", "SHOW VIEW", "EXECUTE"}

// rights are what a user of a database is there for.
type rights uint8

const (
	owner  rights = iota // the database's own user
	writer               // one more: defines nothing that would break without it
	reader
)

// defining are the privileges to make what runs later with its maker's rights:
// it has to belong to a user who stays.
var defining = []string{"CREATE VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "TRIGGER"}

// reading are all that a reader has.
var reading = []string{"SELECT", "SHOW VIEW"}

func (r rights) include(privilege string) bool {
	switch r {
	case owner:
		return true
	case writer:
		return !slices.Contains(defining, privilege)
	}
	return slices.Contains(reading, privilege)
}

// wantedPrivileges is the list for GRANT, and what grantColumns then hold.
func wantedPrivileges(r rights, full bool) (list, columns string) {
	var names []string
	for _, p := range privileges {
		if p.wanted && r.include(p.name) && (!full || slices.Contains(shrinking, p.name)) {
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
	name   string   // of the schema
	user   string   // who signs in
	hashes []string // each by itself lets in
	rights rights
	locked bool
	full   bool
}

var (
	// hostedName is ACCOUNT_suffix. An underscore is thus never the last
	// character of an account's part nor the first of all.
	hostedName   = regexp.MustCompile(`^[a-z][a-z0-9-]{1,30}_[a-z0-9][a-z0-9_]*$`)
	passwordHash = regexp.MustCompile(`^\*[0-9A-F]{40}$`)
	passName     = regexp.MustCompile(`^` + hosting.PassPrefix + `[1-9][0-9]*$`)
	// ownNames are the server's, and those that begin like ours.
	ownNames = regexp.MustCompile(`^(information_schema|performance_schema|(mysql|mariadb|sys|root|cancale)_.*)$`)
)

// maxPattern is how long the pattern of a GRANT may be.
const maxPattern = 64

func wish(db hosting.Database) (wanted, error) {
	w := wanted{name: string(db.Name), user: string(db.Name), hashes: []string{strings.ToUpper(db.PasswordHash)}, locked: db.AccountSuspended, full: db.Full}
	if !isHosted(w.name) || len(pattern(w.name)) > maxPattern {
		return w, fmt.Errorf("mariadb: %q is no hosted database: refused", w.name)
	}
	for _, p := range db.Passes {
		if !p.ReadOnly {
			w.hashes = append(w.hashes, strings.ToUpper(p.PasswordHash))
		}
	}
	return w, w.check(db)
}

// guests are the users besides the database's own.
func guests(db hosting.Database) ([]wanted, error) {
	var all []wanted
	add := func(user, hash string, r rights, form func(string) bool) error {
		w := wanted{name: string(db.Name), user: user, hashes: []string{strings.ToUpper(hash)}, rights: r, locked: db.AccountSuspended, full: db.Full}
		if !form(user) || user == w.name {
			return fmt.Errorf("mariadb: %s: %q is no user of a hosted database: refused", w.name, user)
		}
		all = append(all, w)
		return w.check(db)
	}
	for _, u := range db.Users {
		r := writer
		if u.ReadOnly {
			r = reader
		}
		if err := add(string(u.Name), u.PasswordHash, r, isHosted); err != nil {
			return nil, err
		}
	}
	for _, p := range db.Passes {
		if !p.ReadOnly {
			continue
		}
		if err := add(hosting.PassUser(p.ID), p.PasswordHash, reader, isPass); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// isPass tells the users of read-only passes.
func isPass(name string) bool { return passName.MatchString(name) }

func isHosted(name string) bool { return hostedName.MatchString(name) && !ownNames.MatchString(name) }

func (w wanted) check(db hosting.Database) error {
	for _, hash := range w.hashes {
		if !db.Sync.Removing && !passwordHash.MatchString(hash) {
			return fmt.Errorf("mariadb: %s: the password's hash has not the form of one", w.user)
		}
	}
	return nil
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
	guests      map[string]int    // who else has rights on the schema: on how many in all
}

type grant struct{ host, pattern, privileges string }

// statement is SQL and the same without secrets, for logs and errors.
type statement struct{ sql, redacted string }

// part is what the statement repairs, in a word of the audit log.
func (s statement) part() string {
	switch verb, _, _ := strings.Cut(s.redacted, " "); {
	case strings.HasPrefix(s.redacted, "CREATE DATABASE"):
		return "database"
	case verb == "GRANT":
		return "grants"
	case verb == "KILL":
		return "connections"
	}
	return "user"
}

func plain(format string, args ...any) statement {
	s := fmt.Sprintf(format, args...)
	return statement{sql: s, redacted: s}
}

// repair is what leads from have to w: nothing when they agree.
func (w wanted) repair(have observed) []statement {
	me := account(w.user, localhost)
	var todo []statement
	if !have.schema && w.rights == owner {
		todo = append(todo, plain("CREATE DATABASE IF NOT EXISTS %s CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", identifier(w.name)))
	}
	for _, h := range slices.Sorted(maps.Keys(have.users)) {
		if h != localhost {
			todo = append(todo, plain("DROP USER IF EXISTS %s", account(w.user, h)))
		}
	}
	priv, exists := have.users[localhost]
	state := parseUser(priv)
	list, columns := wantedPrivileges(w.rights, w.full)
	_, most := wantedPrivileges(w.rights, false)
	granted, reduce, extra := false, false, exists && (state.extra || have.others > 0)
	for _, g := range have.grants {
		switch {
		case g.host != localhost: // goes with its user
		case g == grant{host: localhost, pattern: pattern(w.name), privileges: columns}:
			granted = true
		case g.pattern == pattern(w.name) && w.full && !more(g.privileges, most): // it has just become full
			reduce = true
		case g.pattern == pattern(w.name) && !more(g.privileges, columns): // some are missing
		default:
			extra = true
		}
	}
	// Who is signed in keeps the rights of then, and needs no password. So they are
	// put out, and nobody is let in before that is done: what is interrupted is
	// found locked, and done again.
	expel := exists && !extra && (reduce || state.locked != w.locked || !slices.Contains(state.hashes, w.hashes[0]))
	closed := w
	closed.locked = w.locked || expel
	if extra {
		// Not every kind of right can be revoked by one statement; a new user
		// has none.
		todo = append(todo, plain("DROP USER IF EXISTS %s", me))
	}
	switch {
	case !exists || extra:
		todo = append(todo, plain("KILL USER %s", me), closed.identified("CREATE USER IF NOT EXISTS "+me))
	case !state.agrees(closed):
		todo = append(todo, closed.identified("ALTER USER "+me))
	}
	if reduce && !extra {
		todo = append(todo, plain("REVOKE ALL PRIVILEGES ON %s.* FROM %s", identifier(pattern(w.name)), me))
	}
	if !exists || !granted || extra {
		todo = append(todo, plain("GRANT %s ON %s.* TO %s", list, identifier(pattern(w.name)), me))
	}
	if expel || w.locked && have.connections > 0 {
		todo = append(todo, plain("KILL USER %s", me))
	}
	if expel && !w.locked {
		todo = append(todo, w.identified("ALTER USER "+me))
	}
	return todo
}

// discard is what leads from have to a database that nobody reaches. Without a
// user there are no rights either: they go with it.
func (w wanted) discard(have observed) []statement {
	todo := w.strangers(have, nil)
	for _, h := range slices.Sorted(maps.Keys(have.users)) {
		todo = append(todo, plain("DROP USER IF EXISTS %s", account(w.user, h)))
	}
	if len(have.users) > 0 || have.connections > 0 {
		todo = append(todo, plain("KILL USER %s", account(w.user, localhost)))
	}
	return todo
}

// strangers are who has rights on the schema besides those who should: they
// lose them, and who is there for nothing else goes.
func (w wanted) strangers(have observed, but []wanted) []statement {
	var todo []statement
	for _, name := range slices.Sorted(maps.Keys(have.guests)) {
		if !isHosted(name) && !isPass(name) || slices.ContainsFunc(but, func(g wanted) bool { return g.user == name }) {
			continue
		}
		if have.guests[name] > 1 {
			todo = append(todo,
				plain("REVOKE ALL PRIVILEGES ON %s.* FROM %s", identifier(pattern(w.name)), account(name, localhost)),
				plain("KILL USER %s", account(name, localhost)))
			continue
		}
		todo = append(todo, // in this order: as long as the user is there, it is found again
			plain("ALTER USER IF EXISTS %s ACCOUNT LOCK", account(name, localhost)),
			plain("KILL USER %s", account(name, localhost)),
			plain("DROP USER IF EXISTS %s", account(name, localhost)))
	}
	return todo
}

// remove is what leads from have to nothing.
func (w wanted) remove(have observed) []statement {
	todo := w.strangers(have, nil)
	for _, h := range slices.Sorted(maps.Keys(have.users)) {
		todo = append(todo, plain("DROP USER IF EXISTS %s", account(w.user, h)))
	}
	if have.schema {
		// A connection that is open would keep the schema locked.
		todo = append(todo,
			plain("KILL USER %s", account(w.user, localhost)),
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

// identified ends a CREATE USER or ALTER USER: every attribute is said, so that
// what somebody changed goes back.
func (w wanted) identified(begin string) statement {
	lock := "UNLOCK"
	if w.locked {
		lock = "LOCK"
	}
	end := fmt.Sprintf(" REQUIRE NONE WITH MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS %d MAX_STATEMENT_TIME %d ACCOUNT %s PASSWORD EXPIRE DEFAULT",
		maxUserConnections, maxStatementTime, lock)
	ways := make([]string, len(w.hashes))
	for i, hash := range w.hashes {
		ways[i] = native + " USING " + text(hash)
	}
	return statement{
		sql:      begin + " IDENTIFIED VIA " + strings.Join(ways, " OR ") + end,
		redacted: begin + " IDENTIFIED VIA …" + end,
	}
}

// native is how all users sign in.
const native = "mysql_native_password"

// userState is what we read of the JSON in mysql.global_priv; extra stands for
// what a hosted user never has: global privileges, a role, a second way to sign
// in, and whatever we do not know that is set to something.
type userState struct {
	plugin        string
	hashes        []string
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
			var hash string
			err = json.Unmarshal(raw, &hash)
			s.hashes = append([]string{hash}, s.hashes...)
		case "auth_or": // the empty one stands for the way above
			var ways []struct {
				Plugin string `json:"plugin"`
				Hash   string `json:"authentication_string"`
			}
			err = json.Unmarshal(raw, &ways)
			for _, way := range ways {
				if way.Plugin == native {
					s.hashes = append(s.hashes, way.Hash)
				} else if way.Plugin != "" {
					s.extra = true
				}
			}
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
		default: // access, default_role, x509_issuer, …
			s.extra = s.extra || !slices.Contains([]string{"0", `""`, "false", "null"}, string(raw))
		}
		s.extra = s.extra || err != nil
	}
	return s
}

// agrees compares all but the privileges.
func (s userState) agrees(w wanted) bool {
	return s.plugin == native && slices.Equal(s.hashes, w.hashes) && s.connections == maxUserConnections &&
		s.statementTime == maxStatementTime && s.locked == w.locked && !s.differs
}
