package mariadb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"cancale/internal/host"
	"cancale/internal/hosting"
)

// Look compares databases, their users and their rights with what Ensure would
// make of them, and changes nothing. It asks the server once, however many there
// are; the answer has those that differ.
func (d *Driver) Look(ctx context.Context, all []hosting.Database) (map[hosting.DatabaseID]host.Differing, error) {
	s, err := d.observeAll(ctx)
	if err != nil {
		return nil, fmt.Errorf("mariadb: %w", err)
	}
	differ := map[hosting.DatabaseID]host.Differing{}
	for _, db := range all {
		todo, err := repairs(db, func(w wanted) (observed, error) { return s.about(w), nil })
		if err != nil {
			return nil, err
		}
		if len(todo) > 0 {
			differ[db.ID] = told(todo)
		}
	}
	return differ, nil
}

// told is what the statements that would repair a database say of it.
func told(todo []statement) host.Differing {
	does := func(begin string) bool {
		return slices.ContainsFunc(todo, func(s statement) bool { return strings.HasPrefix(s.redacted, begin) })
	}
	switch {
	case does("CREATE DATABASE"):
		return host.Differing{Part: "DATABASE", How: host.Missing}
	case does("CREATE USER") && !does("DROP USER"):
		return host.Differing{Part: "USER", How: host.Missing}
	case does("GRANT"), does("REVOKE"), does("DROP USER"):
		return host.Differing{Part: "GRANT", How: host.Rights}
	}
	return host.Differing{Part: "USER", How: host.Content}
}

// observeAllQuery is observeQuery about every name.
const observeAllQuery = `
SELECT 'schema', SCHEMA_NAME, '', '', '' FROM information_schema.SCHEMATA
UNION ALL SELECT 'user', User, Host, Priv, '' FROM mysql.global_priv
UNION ALL SELECT 'grant', User, Host, Db, CONCAT(` + grantColumns + `) FROM mysql.db
UNION ALL SELECT 'other', User, '', '', '' FROM mysql.tables_priv
UNION ALL SELECT 'other', User, '', '', '' FROM mysql.columns_priv
UNION ALL SELECT 'routine', User, '', Db, '' FROM mysql.procs_priv
UNION ALL SELECT 'other', User, '', '', '' FROM mysql.proxies_priv
UNION ALL SELECT 'other', User, '', '', '' FROM mysql.roles_mapping`

// server is what MariaDB holds about all names.
type server struct {
	schemas  map[string]bool
	users    map[string]map[string]string // as in observed, by name
	grants   map[string][]grant           // by name
	others   map[string]int               // by name
	routines map[string][]string          // by name: the schemas
	guests   map[string][]string          // by pattern of a schema: who signs in here and has rights on it
}

func (d *Driver) observeAll(ctx context.Context) (server, error) {
	s := server{
		schemas: map[string]bool{}, users: map[string]map[string]string{}, grants: map[string][]grant{},
		others: map[string]int{}, routines: map[string][]string{}, guests: map[string][]string{},
	}
	rows, err := d.db.QueryContext(ctx, observeAllQuery)
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind, name, at, a, b string
		if err := rows.Scan(&kind, &name, &at, &a, &b); err != nil {
			return s, err
		}
		switch kind {
		case "schema":
			s.schemas[name] = true
		case "user":
			if s.users[name] == nil {
				s.users[name] = map[string]string{}
			}
			s.users[name][at] = a
		case "grant":
			s.grants[name] = append(s.grants[name], grant{host: at, pattern: a, privileges: b})
			if at == localhost {
				s.guests[a] = append(s.guests[a], name)
			}
		case "routine":
			s.routines[name] = append(s.routines[name], a)
		default:
			s.others[name]++
		}
	}
	return s, rows.Err()
}

// about is what observe finds, but for open connections.
func (s server) about(w wanted) observed {
	have := observed{schema: s.schemas[w.name], users: s.users[w.user], grants: s.grants[w.user], others: s.others[w.user], guests: map[string]int{}}
	for _, schema := range s.routines[w.user] {
		if schema != w.name {
			have.others++
		}
	}
	for _, guest := range s.guests[pattern(w.name)] {
		if guest != w.user {
			have.guests[guest] = len(s.grants[guest])
		}
	}
	return have
}
