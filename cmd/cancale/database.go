package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

func databaseCommand() *cobra.Command {
	create := &cobra.Command{Use: "create NAME", Short: "Make a database and its user; the password is shown this once", Args: cobra.ExactArgs(1), RunE: run(createDatabase)}
	create.Flags().String("account", "", "account that the database belongs to; NAME alone may say it, as ACCOUNT_suffix")
	list := &cobra.Command{Use: "list", Short: "List the databases", Args: cobra.NoArgs, RunE: run(listDatabases)}
	show := &cobra.Command{Use: "show NAME", Short: "Show a database", Args: cobra.ExactArgs(1), RunE: run(showDatabase)}
	reset := &cobra.Command{Use: "reset-password NAME", Short: "Draw a new password, shown this once", Args: cobra.ExactArgs(1), RunE: run(resetDatabase)}
	remove := addPurge(&cobra.Command{Use: "delete NAME", Short: "Remove a database with all that is in it; `trash restore` brings it back", Args: cobra.ExactArgs(1), RunE: run(deleteDatabase)})
	work := databaseWorkCommands()
	for _, cmd := range append([]*cobra.Command{list, show, reset, remove}, work...) {
		cmd.Flags().String("account", "", "account that the database belongs to")
	}
	return noun("database", "MariaDB databases", append(work, create, list, show, reset, remove, databaseUserCommand())...)
}

// databaseView is a database as scripts read it.
type databaseView struct {
	Name     hosting.DatabaseName `json:"name"`
	User     string               `json:"user"`
	Password string               `json:"password,omitempty"`
	Host     string               `json:"host"` // as PHP of a site reaches it
	Socket   string               `json:"socket"`
	Account  hosting.AccountName  `json:"account"`
	Created  time.Time            `json:"created_at"`
	Sync     syncView             `json:"sync"`
}

// databaseHost is how a site's programs reach MariaDB: by the socket that they
// all know under this name.
const databaseHost = "localhost"

func (v *verb) viewDatabase(ctx context.Context, d hosting.Database, account hosting.AccountName) databaseView {
	return databaseView{
		Name: d.Name, User: d.User(), Host: databaseHost, Socket: v.layout.MariaDBSocket(),
		Account: account, Created: d.CreatedAt, Sync: viewSync(ctx, d.Sync),
	}
}

func createDatabase(ctx context.Context, v *verb, args []string) error {
	typed, _ := v.text("account")
	if typed == "" {
		var whole bool
		if typed, _, whole = strings.Cut(args[0], "_"); !whole {
			return usage("cli.flag_missing", "--account")
		}
	}
	account, err := v.account(ctx, "account", typed)
	if err != nil {
		return err
	}
	name, err := hosting.ParseDatabaseName(account.Name, args[0])
	if err != nil {
		return err
	}
	if err := v.notAnothers(ctx, account.Name, args[0]); err != nil {
		return err
	}
	d, password, err := v.store.CreateDatabase(ctx, v.actor, account.ID, name)
	if err != nil {
		return err
	}
	return v.followDatabase(ctx, d, account.Name, password)
}

// notAnothers refuses what reads as the whole name of another account's
// database: whoever typed it has one of the two accounts wrong.
func (v *verb) notAnothers(ctx context.Context, account hosting.AccountName, typed string) error {
	prefix, _, whole := strings.Cut(typed, "_")
	if !whole || strings.EqualFold(prefix, string(account)) {
		return nil
	}
	other, err := v.account(ctx, "account", prefix)
	switch {
	case err == nil:
		return hosting.Refuse(hosting.Invalid, "name", "database.name_of_another", typed, string(other.Name), string(account))
	case hosting.KindOf(err) == hosting.NotFound || hosting.KindOf(err) == hosting.Invalid:
		return nil
	}
	return err
}

// database finds the database of a name that a person typed: ACCOUNT_suffix,
// or the suffix beside --account.
func (v *verb) database(ctx context.Context, typed string) (store.DatabaseRow, error) {
	account, given := v.text("account")
	if !given {
		account, _, _ = strings.Cut(typed, "_")
	}
	owner, err := hosting.ParseAccountName(account)
	if err != nil {
		return store.DatabaseRow{}, hosting.Refuse(hosting.NotFound, "name", "cli.database_unknown", typed)
	}
	name, err := hosting.ParseDatabaseName(owner, typed)
	if err != nil {
		return store.DatabaseRow{}, forLookup(err)
	}
	row, err := v.store.DatabaseByName(ctx, v.scope(hosting.DatabasesRead), name)
	return row, inField("name", err)
}

func resetDatabase(ctx context.Context, v *verb, args []string) error {
	row, err := v.database(ctx, args[0])
	if err != nil {
		return err
	}
	d, password, err := v.store.ResetDatabasePassword(ctx, v.actor, row.ID)
	if err != nil {
		return err
	}
	return v.followDatabase(ctx, d, row.AccountName, password)
}

func deleteDatabase(ctx context.Context, v *verb, args []string) error {
	row, err := v.database(ctx, args[0])
	if err != nil {
		return err
	}
	remove := v.store.RemoveDatabase
	if v.purges() {
		remove = v.store.PurgeDatabase
	}
	d, err := remove(ctx, v.actor, row.ID)
	if err != nil {
		return err
	}
	return v.followDatabase(ctx, d, row.AccountName, "")
}

// followDatabase waits as --wait asks, clears away what is gone and answers.
func (v *verb) followDatabase(ctx context.Context, d hosting.Database, account hosting.AccountName, password string) error {
	sync, problem := v.follow(ctx, hosting.Key{Resource: hosting.ResourceDatabase, ID: uint64(d.ID)}, d.Sync)
	d.Sync = sync
	if sync.State == hosting.Removed {
		if _, err := v.store.Sweep(ctx); err != nil {
			return err
		}
	}
	view := v.viewDatabase(ctx, d, account)
	view.Password = password
	return v.answerDatabase(ctx, view, problem)
}

func showDatabase(ctx context.Context, v *verb, args []string) error {
	row, err := v.database(ctx, args[0])
	if err != nil {
		return err
	}
	return v.answerDatabase(ctx, v.viewDatabase(ctx, row.Database, row.AccountName), nil)
}

func listDatabases(ctx context.Context, v *verb, _ []string) error {
	var id hosting.AccountID
	if typed, _ := v.text("account"); typed != "" {
		account, err := v.account(ctx, "account", typed)
		if err != nil {
			return err
		}
		id = account.ID
	}
	rows, err := v.databasesOf(ctx, id)
	if err != nil {
		return err
	}
	views := make([]databaseView, len(rows))
	for i, r := range rows {
		views[i] = v.viewDatabase(ctx, r.Database, r.AccountName)
	}
	return v.answer(views, func(w io.Writer) error {
		lines := [][]string{{i18n.T(ctx, "cli.name"), i18n.T(ctx, "cli.account"), i18n.T(ctx, "cli.state"), i18n.T(ctx, "cli.problem")}}
		for _, d := range views {
			lines = append(lines, []string{string(d.Name), string(d.Account), sayState(ctx, d.Sync.State), d.Sync.Problem})
		}
		return table(w, lines)
	})
}

// databasesOf are all databases of an account, or of all when id is zero.
func (v *verb) databasesOf(ctx context.Context, id hosting.AccountID) ([]store.DatabaseRow, error) {
	return everything(func(page int) ([]store.DatabaseRow, int, error) {
		return v.store.Databases(ctx, v.scope(hosting.DatabasesRead), store.DatabaseFilter{Account: id, Page: page, PerPage: perPage})
	})
}

func (v *verb) answerDatabase(ctx context.Context, d databaseView, problem error) error {
	return v.answerApplied(ctx, d, func(w io.Writer) error {
		return sheet(w, [][2]string{
			{i18n.T(ctx, "cli.name"), string(d.Name)},
			{i18n.T(ctx, "cli.account"), string(d.Account)},
			{i18n.T(ctx, "cli.state"), sayState(ctx, d.Sync.State)},
			{i18n.T(ctx, "cli.problem"), d.Sync.Problem},
			{i18n.T(ctx, "cli.server"), d.Host},
			{i18n.T(ctx, "cli.user"), d.User},
			{i18n.T(ctx, "cli.password_once"), d.Password},
			{i18n.T(ctx, "cli.socket"), d.Socket},
		})
	}, problem)
}
