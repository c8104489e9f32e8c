package main

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

func trashCommand() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "List what was removed and can be brought back", Args: cobra.NoArgs, RunE: run(listTrash)}
	list.Flags().String("account", "", "only what was removed of one account")
	restore := &cobra.Command{Use: "restore NAME|KIND/ID", Short: "Bring something back, with its files and data", Args: cobra.ExactArgs(1), RunE: run(restoreTrash)}
	restore.Flags().String("as", "", "another name for a site or an FTP login, when its own is taken")
	purge := &cobra.Command{Use: "purge NAME|KIND/ID", Short: "Have something gone for good now", Args: cobra.ExactArgs(1), RunE: run(purgeTrash)}
	for _, cmd := range []*cobra.Command{restore, purge} {
		cmd.Flags().String("kind", "", "site, database, ftp or account, when the name alone does not tell")
	}
	return noun("trash", "What was removed and can still be brought back", list, restore, purge)
}

// addPurge gives a verb that removes the flag to keep nothing.
func addPurge(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().Bool("purge", false, "for good: it cannot be brought back with `trash restore`")
	return cmd
}

// purges reports whether a verb that removes is to keep nothing.
func (v *verb) purges() bool {
	purge, err := v.cmd.Flags().GetBool("purge")
	return err == nil && purge
}

// trashView is a removed thing as scripts read it.
type trashView struct {
	ID        string              `json:"id"` // KIND/ID
	Kind      hosting.TrashKind   `json:"kind"`
	Name      string              `json:"name"`
	Account   hosting.AccountName `json:"account"`
	Bytes     int64               `json:"bytes"`
	RemovedAt time.Time           `json:"removed_at"`
	RemovedBy string              `json:"removed_by"`
	KeptUntil time.Time           `json:"kept_until"`
	Sites     int                 `json:"sites"` // that come back with it
	Databases int                 `json:"databases"`
	FTPLogins int                 `json:"ftp_logins"`
	State     hosting.State       `json:"state,omitempty"`
	Left      []hosting.Hostname  `json:"left,omitempty"` // sites that do not come back with their account
	Sync      *syncView           `json:"sync,omitempty"`
}

func viewTrash(i hosting.TrashItem) trashView {
	return trashView{
		ID: trashID(i), Kind: i.Kind, Name: i.Name, Account: i.AccountName, Bytes: i.Bytes,
		RemovedAt: i.RemovedAt, RemovedBy: i.RemovedBy, KeptUntil: i.KeptUntil,
		Sites: i.Sites, Databases: i.Databases, FTPLogins: i.FTPLogins,
	}
}

func trashID(i hosting.TrashItem) string {
	return string(i.Kind) + "/" + strconv.FormatUint(i.ID, 10)
}

func listTrash(ctx context.Context, v *verb, _ []string) error {
	var f store.TrashFilter
	if typed, _ := v.text("account"); typed != "" {
		account, err := v.account(ctx, "account", typed)
		if err != nil {
			return err
		}
		f.Account = account.ID
	}
	items, err := v.trash(ctx, f)
	if err != nil {
		return err
	}
	views := make([]trashView, len(items))
	for i, item := range items {
		views[i] = viewTrash(item)
	}
	return v.answer(views, func(w io.Writer) error {
		lines := [][]string{{"ID", i18n.T(ctx, "cli.name"), i18n.T(ctx, "cli.account"), i18n.T(ctx, "cli.size"), i18n.T(ctx, "cli.removed_by"), i18n.T(ctx, "cli.kept_until")}}
		for _, t := range views {
			lines = append(lines, []string{t.ID, t.Name, string(t.Account), i18n.Bytes(ctx, t.Bytes), t.RemovedBy, t.KeptUntil.Local().Format(time.DateTime)})
		}
		return table(w, lines)
	})
}

func (v *verb) trash(ctx context.Context, f store.TrashFilter) ([]hosting.TrashItem, error) {
	return everything(func(page int) ([]hosting.TrashItem, int, error) {
		f.Page, f.PerPage = page, perPage
		return v.store.Trash(ctx, v.scope(hosting.AccountRead), f)
	})
}

// trashItem finds the removed thing that a person names: by KIND/ID, or by its
// name when no other bears it.
func (v *verb) trashItem(ctx context.Context, typed string) (hosting.TrashItem, error) {
	var f store.TrashFilter
	var err error
	if name, given := v.text("kind"); given {
		if f.Kind, err = hosting.ParseTrashKind(name); err != nil {
			return hosting.TrashItem{}, err
		}
	}
	if kind, number, is := strings.Cut(typed, "/"); is {
		if f.Kind, err = hosting.ParseTrashKind(kind); err != nil {
			return hosting.TrashItem{}, err
		}
		id, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return hosting.TrashItem{}, hosting.Refuse(hosting.NotFound, "name", "trash.not_found")
		}
		item, err := v.store.TrashItem(ctx, v.scope(hosting.AccountRead), f.Kind, id)
		return item, inField("name", err)
	}
	names := []string{typed}
	if host, err := hosting.ParseHostname(typed); err == nil {
		names = append(names, string(host))
	}
	items, err := v.trash(ctx, f)
	if err != nil {
		return hosting.TrashItem{}, err
	}
	items = slices.DeleteFunc(items, func(i hosting.TrashItem) bool { return !slices.Contains(names, i.Name) })
	switch len(items) {
	case 0:
		return hosting.TrashItem{}, hosting.Refuse(hosting.NotFound, "name", "trash.not_found")
	case 1:
		return items[0], nil
	}
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = trashID(item)
	}
	return hosting.TrashItem{}, hosting.Refuse(hosting.Conflict, "name", "cli.trash_ambiguous", typed, strings.Join(ids, ", "))
}

func restoreTrash(ctx context.Context, v *verb, args []string) error {
	item, err := v.trashItem(ctx, args[0])
	if err != nil {
		return err
	}
	as, given := v.text("as")
	if given && item.Kind != hosting.TrashSite && item.Kind != hosting.TrashFTP {
		return hosting.Refuse(hosting.Invalid, "as", "cli.trash_as")
	}
	view := viewTrash(item)
	key, sync := hosting.Key{}, hosting.Sync{}
	switch item.Kind {
	case hosting.TrashSite:
		var host hosting.Hostname
		if given {
			if host, err = hosting.ParseHostname(as); err != nil {
				return inField("as", err)
			}
		}
		site, err := v.store.RestoreSite(ctx, v.actor, hosting.SiteID(item.ID), host)
		if err != nil {
			return err
		}
		view.Name, key, sync = string(site.Host), hosting.Key{Resource: hosting.ResourceSite, ID: item.ID}, site.Sync
	case hosting.TrashDatabase:
		database, err := v.store.RestoreDatabase(ctx, v.actor, hosting.DatabaseID(item.ID))
		if err != nil {
			return err
		}
		key, sync = hosting.Key{Resource: hosting.ResourceDatabase, ID: item.ID}, database.Sync
	case hosting.TrashFTP:
		var login hosting.FTPName
		if given {
			if login, err = hosting.ParseFTPName(item.AccountName, as); err != nil {
				return inField("as", err)
			}
		}
		row, err := v.store.RestoreFTPLogin(ctx, v.actor, hosting.FTPLoginID(item.ID), login)
		if err != nil {
			return err
		}
		view.Name, view.State = string(row.Login), row.Sync.State
	case hosting.TrashAccount:
		if view.Left, err = v.store.RestoreAccount(ctx, v.actor, item.AccountID); err != nil {
			return err
		}
		if err := v.followAccount(ctx, item.AccountID); err != nil {
			return err
		}
		row, err := v.store.Account(ctx, v.scope(hosting.AccountRead), item.AccountID)
		if err != nil {
			return err
		}
		view.State = row.State()
	}
	var problem error
	if key.ID != 0 {
		sync, problem = v.follow(ctx, key, sync)
		view.State, view.Sync = sync.State, new(viewSync(ctx, sync))
	}
	return v.answerApplied(ctx, view, func(w io.Writer) error {
		for _, host := range view.Left {
			if err := said(ctx, "cli.trash_left", host.Unicode())(w); err != nil {
				return err
			}
		}
		return said(ctx, "cli.trash_restored", view.Name)(w)
	}, problem)
}

func purgeTrash(ctx context.Context, v *verb, args []string) error {
	item, err := v.trashItem(ctx, args[0])
	if err != nil {
		return err
	}
	view, problem := viewTrash(item), error(nil)
	view.State = hosting.Removing
	switch item.Kind {
	case hosting.TrashSite:
		site, err := v.store.PurgeSite(ctx, v.actor, hosting.SiteID(item.ID))
		if err != nil {
			return err
		}
		site.Sync, problem = v.follow(ctx, hosting.Key{Resource: hosting.ResourceSite, ID: item.ID}, site.Sync)
		view.State = site.Sync.State
	case hosting.TrashDatabase:
		database, err := v.store.PurgeDatabase(ctx, v.actor, hosting.DatabaseID(item.ID))
		if err != nil {
			return err
		}
		database.Sync, problem = v.follow(ctx, hosting.Key{Resource: hosting.ResourceDatabase, ID: item.ID}, database.Sync)
		view.State = database.Sync.State
	case hosting.TrashFTP:
		if err := v.store.PurgeFTPLogin(ctx, v.actor, hosting.FTPLoginID(item.ID)); err != nil {
			return err
		}
		view.State = hosting.Removed
	case hosting.TrashAccount:
		if err := v.store.PurgeAccount(ctx, v.actor, item.AccountID); err != nil {
			return err
		}
		var gone bool
		if gone, problem = v.accountGone(ctx, item.AccountID); gone {
			view.State = hosting.Removed
		}
	}
	if view.State == hosting.Removed {
		if _, err := v.store.Sweep(ctx); err != nil {
			return err
		}
	}
	text := said(ctx, "cli.trash_purged", view.Name)
	if view.State != hosting.Removed {
		text = said(ctx, "site.removing", view.Name)
	}
	return v.answerApplied(ctx, view, text, problem)
}

// accountGone waits as --wait asks until nothing is left of an account.
func (v *verb) accountGone(ctx context.Context, id hosting.AccountID) (gone bool, problem error) {
	return v.untilGone(ctx, func() error {
		_, err := v.store.Account(ctx, v.scope(hosting.AccountRead), id)
		return err
	})
}

// accountOff waits as --wait asks until everything of a removed account is out
// of service.
func (v *verb) accountOff(ctx context.Context, id hosting.AccountID) (off bool, problem error) {
	if problem := v.followAccount(ctx, id); problem != nil {
		return false, problem
	}
	sites, err := v.sitesOf(ctx, id)
	if err != nil {
		return false, err
	}
	databases, err := v.databasesOf(ctx, id)
	return len(sites)+len(databases) == 0, err
}
