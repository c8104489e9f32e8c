package main

import (
	"context"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

func ftpCommand() *cobra.Command {
	create := &cobra.Command{Use: "create LOGIN", Short: "Make an FTP login; the password is shown this once", Args: cobra.ExactArgs(1), RunE: run(createFTP)}
	create.Flags().String("account", "", "account that the login belongs to; LOGIN alone may say it, as name@ACCOUNT")
	create.Flags().String("site", "", "host name of the one site that it reaches; all of the account when not given")
	create.Flags().String("path", "", "folder of the site's home that it is held in")
	create.Flags().Bool("read-only", false, "it may fetch but not change anything")
	list := &cobra.Command{Use: "list", Short: "List the FTP logins", Args: cobra.NoArgs, RunE: run(listFTP)}
	show := &cobra.Command{Use: "show LOGIN", Short: "Show an FTP login", Args: cobra.ExactArgs(1), RunE: run(showFTP)}
	reset := &cobra.Command{Use: "reset-password LOGIN", Short: "Draw a new password, shown this once", Args: cobra.ExactArgs(1), RunE: run(resetFTP)}
	enable := &cobra.Command{Use: "enable LOGIN", Short: "Let a login in again", Args: cobra.ExactArgs(1), RunE: run(enableFTP)}
	disable := &cobra.Command{Use: "disable LOGIN", Short: "Let a login in no more, and keep it", Args: cobra.ExactArgs(1), RunE: run(disableFTP)}
	remove := &cobra.Command{Use: "delete LOGIN", Short: "Remove an FTP login", Args: cobra.ExactArgs(1), RunE: run(deleteFTP)}
	for _, cmd := range []*cobra.Command{list, show, reset, enable, disable, remove} {
		cmd.Flags().String("account", "", "account that the login belongs to")
	}
	return noun("ftp", "FTP logins", create, list, show, reset, enable, disable, remove)
}

// ftpView is an FTP login as scripts read it.
type ftpView struct {
	Login    hosting.FTPName     `json:"login"`
	Password string              `json:"password,omitempty"`
	Host     string              `json:"host"` // of the FTP server
	Port     int                 `json:"port"`
	Root     string              `json:"root"` // on this machine; "/" is the list of the account's sites
	Account  hosting.AccountName `json:"account"`
	Site     hosting.Hostname    `json:"site"`
	Path     string              `json:"path"` // in the site's home
	ReadOnly bool                `json:"read_only"`
	Enabled  bool                `json:"enabled"`
	Created  time.Time           `json:"created_at"`
	LastUsed *time.Time          `json:"last_used_at"`
}

// viewFTP needs the login's site to say where its root is.
func (v *verb) viewFTP(l hosting.FTPLogin, account hosting.AccountName, site hosting.Site) ftpView {
	root := "/"
	if l.SiteID != 0 {
		root = filepath.Join(v.layout.Home(string(site.HomeToken)), string(l.Path))
	}
	return ftpView{
		Login: l.Login, Host: v.host(), Port: v.status.FTPPort, Root: root, Account: account, Site: site.Host, Path: "/" + string(l.Path),
		ReadOnly: l.ReadOnly, Enabled: !l.Disabled, Created: l.CreatedAt, LastUsed: l.LastUsedAt,
	}
}

func createFTP(ctx context.Context, v *verb, args []string) error {
	typed, _ := v.text("account")
	if typed == "" {
		var whole bool
		if _, typed, whole = strings.Cut(args[0], "@"); !whole {
			return usage("cli.flag_missing", "--account")
		}
	}
	account, err := v.account(ctx, "account", typed)
	if err != nil {
		return err
	}
	var errs hosting.Errors
	var spec hosting.FTPSpec
	spec.Login, err = hosting.ParseFTPName(account.Name, args[0])
	errs.Add(err)
	folder, _ := v.text("path")
	spec.Path, err = hosting.ParseFolder(folder)
	errs.Add(err)
	if errs.Err() != nil {
		return errs.Err()
	}
	if spec.ReadOnly, err = v.cmd.Flags().GetBool("read-only"); err != nil {
		return err
	}
	var site store.SiteRow
	if host, given := v.text("site"); given {
		if site, err = v.site(ctx, "site", host); err != nil {
			return err
		}
		spec.Site = site.ID
	} else if spec.Path != "" {
		return usage("cli.flag_needs", "--path", "--site")
	}
	login, password, err := v.store.CreateFTPLogin(ctx, v.actor, account.ID, spec)
	if err != nil {
		return err
	}
	view := v.viewFTP(login, account.Name, site.Site)
	view.Password = password
	return v.answerFTP(ctx, view)
}

// ftp finds the login that a person typed: name@account, the account's own
// name, or a name beside --account.
func (v *verb) ftp(ctx context.Context, typed string) (store.FTPRow, error) {
	account, given := v.text("account")
	if !given {
		account = typed[strings.LastIndexByte(typed, '@')+1:]
	}
	owner, err := hosting.ParseAccountName(account)
	if err != nil {
		return store.FTPRow{}, hosting.Refuse(hosting.NotFound, "login", "cli.ftp_unknown", typed)
	}
	login, err := hosting.ParseFTPName(owner, typed)
	if err != nil {
		return store.FTPRow{}, forLookup(err)
	}
	row, err := v.store.FTPLoginByName(ctx, v.scope(hosting.FTPRead), login)
	return row, inField("login", err)
}

func resetFTP(ctx context.Context, v *verb, args []string) error {
	row, err := v.ftp(ctx, args[0])
	if err != nil {
		return err
	}
	login, password, err := v.store.ResetFTPPassword(ctx, v.actor, row.ID)
	if err != nil {
		return err
	}
	row.FTPLogin = login
	return v.answerFTPRow(ctx, row, password)
}

func enableFTP(ctx context.Context, v *verb, args []string) error {
	return v.turnFTP(ctx, args[0], true)
}

func disableFTP(ctx context.Context, v *verb, args []string) error {
	return v.turnFTP(ctx, args[0], false)
}

func (v *verb) turnFTP(ctx context.Context, typed string, enabled bool) error {
	row, err := v.ftp(ctx, typed)
	if err != nil {
		return err
	}
	if row.FTPLogin, err = v.store.SetFTPEnabled(ctx, v.actor, row.ID, enabled); err != nil {
		return err
	}
	return v.answerFTPRow(ctx, row, "")
}

func deleteFTP(ctx context.Context, v *verb, args []string) error {
	row, err := v.ftp(ctx, args[0])
	if err != nil {
		return err
	}
	if err := v.store.RemoveFTPLogin(ctx, v.actor, row.ID); err != nil {
		return err
	}
	return v.answer(struct {
		Login hosting.FTPName `json:"login"`
		State hosting.State   `json:"state"`
	}{row.Login, hosting.Removed}, said(ctx, "cli.ftp_deleted", string(row.Login)))
}

func showFTP(ctx context.Context, v *verb, args []string) error {
	row, err := v.ftp(ctx, args[0])
	if err != nil {
		return err
	}
	return v.answerFTPRow(ctx, row, "")
}

func (v *verb) answerFTPRow(ctx context.Context, row store.FTPRow, password string) error {
	var site store.SiteRow
	if row.SiteID != 0 {
		var err error
		if site, err = v.store.Site(ctx, v.scope(hosting.SitesRead), row.SiteID); err != nil {
			return err
		}
	}
	view := v.viewFTP(row.FTPLogin, row.AccountName, site.Site)
	view.Password = password
	return v.answerFTP(ctx, view)
}

func listFTP(ctx context.Context, v *verb, _ []string) error {
	var f store.FTPFilter
	if typed, _ := v.text("account"); typed != "" {
		account, err := v.account(ctx, "account", typed)
		if err != nil {
			return err
		}
		f.Account = account.ID
	}
	rows, err := everything(func(page int) ([]store.FTPRow, int, error) {
		f.Page, f.PerPage = page, perPage
		return v.store.FTPLogins(ctx, v.scope(hosting.FTPRead), f)
	})
	if err != nil {
		return err
	}
	sites, err := v.sitesOf(ctx, f.Account)
	if err != nil {
		return err
	}
	byID := make(map[hosting.SiteID]hosting.Site, len(sites))
	for _, s := range sites {
		byID[s.ID] = s.Site
	}
	views := make([]ftpView, len(rows))
	for i, r := range rows {
		views[i] = v.viewFTP(r.FTPLogin, r.AccountName, byID[r.SiteID])
	}
	return v.answer(views, func(w io.Writer) error {
		lines := [][]string{{
			i18n.T(ctx, "cli.login"), i18n.T(ctx, "cli.account"), i18n.T(ctx, "cli.site"), i18n.T(ctx, "cli.path"), i18n.T(ctx, "cli.rights"), i18n.T(ctx, "cli.state"),
		}}
		for _, l := range views {
			lines = append(lines, []string{string(l.Login), string(l.Account), l.Site.Unicode(), l.Path, sayRights(ctx, l), sayEnabled(ctx, l)})
		}
		return table(w, lines)
	})
}

func (v *verb) answerFTP(ctx context.Context, l ftpView) error {
	return v.answer(l, func(w io.Writer) error {
		return sheet(w, [][2]string{
			{i18n.T(ctx, "cli.login"), string(l.Login)},
			{i18n.T(ctx, "cli.password_once"), l.Password},
			{i18n.T(ctx, "cli.server"), l.Host},
			{i18n.T(ctx, "cli.port"), strconv.Itoa(l.Port)},
			{i18n.T(ctx, "cli.account"), string(l.Account)},
			{i18n.T(ctx, "cli.site"), l.Site.Unicode()},
			{i18n.T(ctx, "cli.path"), l.Path},
			{i18n.T(ctx, "cli.rights"), sayRights(ctx, l)},
			{i18n.T(ctx, "cli.state"), sayEnabled(ctx, l)},
		})
	})
}

func sayRights(ctx context.Context, l ftpView) string {
	if l.ReadOnly {
		return i18n.T(ctx, "cli.read_only")
	}
	return i18n.T(ctx, "cli.read_write")
}

func sayEnabled(ctx context.Context, l ftpView) string {
	if l.Enabled {
		return i18n.T(ctx, "cli.enabled")
	}
	return i18n.T(ctx, "cli.disabled")
}
