// Package testenv starts the real daemons that tests run against: a private
// MariaDB and a private Apache, each under its own temporary directory. It
// never touches the machine's own services, and a missing program fails the
// test with the line that installs it.
package testenv

import (
	"testing"

	"cancale/internal/store"
)

// MariaDBServer is a private mariadbd.
type MariaDBServer struct {
	Dir    string
	Socket string // root signs in without a password
}

// Installation is a fresh database with its two users.
type Installation struct {
	Server *MariaDBServer
	Root   store.Config
	App    store.Config // for store.Open
	Agent  store.Config // for store.OpenNode
}

// MariaDB starts a server, or gives the one of the package when its TestMain
// uses Main.
func MariaDB(tb testing.TB) *MariaDBServer { panic("unfinished") }

// Install makes a fresh, migrated database.
func Install(tb testing.TB) Installation { panic("unfinished") }

// Store opens a fresh database as the application.
func Store(tb testing.TB) *store.Store { panic("unfinished") }

// Stores opens a fresh database as the application and as the agent of the
// node "main".
func Stores(tb testing.TB) (*store.Store, *store.NodeStore) { panic("unfinished") }

// Main runs the tests of a package with one server for all of them.
func Main(m *testing.M) int { panic("unfinished") }
