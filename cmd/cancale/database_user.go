package main

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

func databaseUserCommand() *cobra.Command {
	verb := func(use, short string, args int, fn func(context.Context, *verb, []string) error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(args), RunE: run(fn)}
	}
	create := verb("create DATABASE USER", "Let one user more into a database; the password is shown this once", 2, createDatabaseUser)
	create.Flags().Bool("read-only", false, "a user who changes nothing")
	all := []*cobra.Command{
		create,
		verb("list DATABASE", "List the users of a database besides its own", 1, listDatabaseUsers),
		verb("reset-password DATABASE USER", "Draw a new password, shown this once", 2, resetDatabaseUser),
		verb("delete DATABASE USER", "Let a user into the database no more", 2, deleteDatabaseUser),
	}
	for _, cmd := range all {
		cmd.Flags().String("account", "", "account that the database belongs to")
	}
	return noun("user", "Users of databases besides each database's own", all...)
}

// databaseUserView is such a user as scripts read it.
type databaseUserView struct {
	Name     hosting.DatabaseName `json:"name"`
	Database hosting.DatabaseName `json:"database"`
	ReadOnly bool                 `json:"read_only"`
	Password string               `json:"password,omitempty"`
	Created  time.Time            `json:"created_at"`
	Sync     syncView             `json:"sync"` // of the database
}

func viewDatabaseUser(ctx context.Context, d hosting.Database, u hosting.DatabaseUser) databaseUserView {
	return databaseUserView{Name: u.Name, Database: d.Name, ReadOnly: u.ReadOnly, Created: u.CreatedAt, Sync: viewSync(ctx, d.Sync)}
}

// databaseUser finds the user of a database by the names that a person typed.
func (v *verb) databaseUser(ctx context.Context, database, typed string) (store.DatabaseRow, hosting.DatabaseUser, error) {
	row, err := v.database(ctx, database)
	if err != nil {
		return row, hosting.DatabaseUser{}, err
	}
	name, err := hosting.ParseDatabaseUser(row.AccountName, typed)
	if err != nil {
		return row, hosting.DatabaseUser{}, hosting.Refuse(hosting.NotFound, "user", "dbuser.not_found")
	}
	users, err := v.store.DatabaseUsers(ctx, v.scope(hosting.DatabasesRead), row.ID)
	if err != nil {
		return row, hosting.DatabaseUser{}, err
	}
	i := slices.IndexFunc(users, func(u hosting.DatabaseUser) bool { return u.Name == name })
	if i < 0 {
		return row, hosting.DatabaseUser{}, hosting.Refuse(hosting.NotFound, "user", "dbuser.not_found")
	}
	return row, users[i], nil
}

func createDatabaseUser(ctx context.Context, v *verb, args []string) error {
	row, err := v.database(ctx, args[0])
	if err != nil {
		return err
	}
	name, err := hosting.ParseDatabaseUser(row.AccountName, args[1])
	if err != nil {
		return err
	}
	readOnly, err := v.cmd.Flags().GetBool("read-only")
	if err != nil {
		return err
	}
	user, password, err := v.store.AddDatabaseUser(ctx, v.actor, row.ID, name, readOnly)
	if err != nil {
		return err
	}
	return v.followDatabaseUser(ctx, row, user, password)
}

func resetDatabaseUser(ctx context.Context, v *verb, args []string) error {
	row, user, err := v.databaseUser(ctx, args[0], args[1])
	if err != nil {
		return err
	}
	user, password, err := v.store.ResetDatabaseUserPassword(ctx, v.actor, user.ID)
	if err != nil {
		return err
	}
	return v.followDatabaseUser(ctx, row, user, password)
}

func deleteDatabaseUser(ctx context.Context, v *verb, args []string) error {
	row, user, err := v.databaseUser(ctx, args[0], args[1])
	if err != nil {
		return err
	}
	if user, err = v.store.RemoveDatabaseUser(ctx, v.actor, user.ID); err != nil {
		return err
	}
	return v.followDatabaseUser(ctx, row, user, "")
}

// followDatabaseUser waits as --wait asks until the database has followed, and
// answers.
func (v *verb) followDatabaseUser(ctx context.Context, row store.DatabaseRow, user hosting.DatabaseUser, password string) error {
	row, err := v.store.DatabaseByName(ctx, v.scope(hosting.DatabasesRead), row.Name)
	if err != nil {
		return err
	}
	d := row.Database
	sync, problem := v.follow(ctx, hosting.Key{Resource: hosting.ResourceDatabase, ID: uint64(d.ID)}, d.Sync)
	d.Sync = sync
	view := viewDatabaseUser(ctx, d, user)
	view.Password = password
	return v.answerApplied(ctx, view, func(w io.Writer) error {
		return sheet(w, [][2]string{
			{i18n.T(ctx, "cli.user"), string(user.Name)},
			{i18n.T(ctx, "cli.database"), string(d.Name)},
			{i18n.T(ctx, "cli.rights"), sayUserRights(ctx, user)},
			{i18n.T(ctx, "cli.password_once"), password},
			{i18n.T(ctx, "cli.state"), sayState(ctx, sync.State)},
		})
	}, problem)
}

func sayUserRights(ctx context.Context, u hosting.DatabaseUser) string {
	if u.ReadOnly {
		return i18n.T(ctx, "dbuser.reads")
	}
	return i18n.T(ctx, "dbuser.writes")
}

func listDatabaseUsers(ctx context.Context, v *verb, args []string) error {
	row, err := v.database(ctx, args[0])
	if err != nil {
		return err
	}
	users, err := v.store.DatabaseUsers(ctx, v.scope(hosting.DatabasesRead), row.ID)
	if err != nil {
		return err
	}
	views := make([]databaseUserView, len(users))
	lines := [][]string{{i18n.T(ctx, "cli.user"), i18n.T(ctx, "cli.rights")}}
	for i, u := range users {
		views[i] = viewDatabaseUser(ctx, row.Database, u)
		lines = append(lines, []string{string(u.Name), sayUserRights(ctx, u)})
	}
	return v.answer(views, func(w io.Writer) error { return table(w, lines) })
}
